import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { readTensor } from '#trainer/graph/onnx/tensors.ts'
import { WireReader } from '#trainer/graph/onnx/wire.ts'
import type { Tensor } from '#trainer/graph/types.ts'

const root = resolve(import.meta.dirname, '../..')

/**
 * A Python with the packages: `KESTREL_TEST_PYTHON`, or the virtual environment `.test-python` that `.ci/run` makes, or
 * the one on the path. Undefined where none has them.
 */
export function pythonWith(packages: readonly string[]): string | undefined {
  const own = join(root, '.test-python', process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python')
  const candidates = [process.env['KESTREL_TEST_PYTHON'], existsSync(own) ? own : undefined, 'python3', 'python']
  return candidates.find(
    (candidate) =>
      candidate !== undefined &&
      candidate !== '' &&
      spawnSync(candidate, ['-c', `import ${packages.join(', ')}`]).status === 0,
  )
}

export interface NodeTest {
  name: string
  operators: string[]
  model: Uint8Array
  /** null where a value is no tensor. */
  inputs: (Tensor | null)[]
  outputs: (Tensor | null)[]
  rtol: number
  atol: number
}

interface Line {
  name: string
  operators: string[]
  model: string
  inputs: (string | null)[]
  outputs: (string | null)[]
  rtol: number
  atol: number
}

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'))

/** Values of types that Kestrel does not read (8-bit floats, 4-bit integers) are no tensors either. */
function valueOf(text: string | null): Tensor | null {
  return text === null ? null : readTensor(new WireReader(bytesOf(text))).value
}

/** The ONNX project's published node tests whose nodes are all among `operators`. */
export function onnxNodeTests(python: string, operators: readonly string[]): NodeTest[] {
  const folder = mkdtempSync(join(tmpdir(), 'kestrel-node-tests-'))
  try {
    const file = join(folder, 'cases.jsonl')
    const script = resolve(import.meta.dirname, '../fixtures/onnx-node-tests/generate.py')
    execFileSync(python, [script, file, ...operators], { stdio: 'inherit' })
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(1)
    return lines.map((text): NodeTest => {
      const line = JSON.parse(text) as Line
      return {
        ...line,
        model: bytesOf(line.model),
        inputs: line.inputs.map(valueOf),
        outputs: line.outputs.map(valueOf),
      }
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}
