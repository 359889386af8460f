import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')
const own = join(root, '.test-python', process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python')

/**
 * A Python that has the packages: `KESTREL_TEST_PYTHON`, the virtual environment `.test-python` (`.ci/run` makes it), or
 * the one on the path. Undefined where none has them.
 */
export function pythonWith(packages: readonly string[]): string | undefined {
  const named = process.env['KESTREL_TEST_PYTHON'] ?? ''
  const candidates = [
    ...(named === '' ? [] : [named]),
    ...(existsSync(own) ? [own] : []),
    'python3',
    'python',
  ]
  const script = `import ${packages.join(', ')}`
  return candidates.find((candidate) => spawnSync(candidate, ['-c', script]).status === 0)
}
