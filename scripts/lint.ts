/** `npm run lint [-- --only format,rules,types,layers]`: everything that can be known without running the program. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './lib/stamp.mjs'

const modules = join(root, 'node_modules')
const folders = ['electron', 'renderer', 'shared'].filter((folder) => existsSync(join(root, folder)))

const steps: { name: string; words: string; script: string; args: string[] }[] = [
  {
    name: 'format',
    words: 'prettier: every file is formatted (npm run format mends it)',
    script: join(modules, 'prettier', 'bin', 'prettier.cjs'),
    args: ['--check', '--log-level', 'warn', '.'],
  },
  {
    name: 'rules',
    words: 'eslint: nothing wrong or unclear',
    script: join(modules, 'eslint', 'bin', 'eslint.js'),
    args: ['--cache', '--cache-location', join(modules, '.cache', 'eslint', ''), '.'],
  },
  {
    name: 'types',
    words: 'vue-tsc: the types of .ts and .vue fit',
    script: join(modules, 'vue-tsc', 'bin', 'vue-tsc.js'),
    args: ['--noEmit', '-p', 'tsconfig.json'],
  },
  {
    name: 'layers',
    words: 'dependency-cruiser: arrows point one way (docs: the house)',
    script: join(modules, 'dependency-cruiser', 'bin', 'dependency-cruiser.mjs'),
    args: ['--config', '.dependency-cruiser.cjs', '--output-type', 'err-long', ...folders],
  },
]

const only = process.argv.find((_arg, index) => process.argv[index - 1] === '--only')?.split(',')
const failed: string[] = []
for (const { name, words, script, args } of steps) {
  if (only && !only.includes(name)) continue
  process.stdout.write(`--- ${name}: ${words}\n`)
  const started = performance.now()
  const { status } = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: 'inherit' })
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  process.stdout.write(`    ${status === 0 ? 'right' : 'WRONG'} (${seconds} s)\n`)
  if (status !== 0) failed.push(name)
}
process.stdout.write(failed.length === 0 ? 'Lint found nothing.\n' : `Lint: ${failed.join(', ')} to mend.\n`)
process.exitCode = failed.length === 0 ? 0 : 1
