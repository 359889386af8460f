import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { readTensor } from '#trainer/graph/onnx/tensors.ts'
import { WireReader } from '#trainer/graph/onnx/wire.ts'
import type { Tensor } from '#trainer/graph/types.ts'

/** One published test. Nothing is decoded yet: some hold types that Kestrel does not read, which is part of the test. */
export interface NodeTest {
  name: string
  /** Operators of its nodes, each once. */
  operators: string[]
  /** The model file and TensorProto messages, in base64; null where a value is no tensor. */
  model: string
  inputs: (string | null)[]
  outputs: (string | null)[]
  rtol: number
  atol: number
}

export const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'))

/** @throws KestrelError for number types that Kestrel does not read; Error for values that are no tensors. */
export function tensorOf(message: string | null): Tensor {
  if (message === null) throw new Error('a value is no tensor')
  return readTensor(new WireReader(bytesOf(message))).value
}

/** The node tests that the installed `onnx` publishes and whose nodes are all among `operators`. */
export function onnxNodeTests(python: string, operators: readonly string[]): NodeTest[] {
  const folder = mkdtempSync(join(tmpdir(), 'kestrel-node-tests-'))
  try {
    const file = join(folder, 'cases.jsonl')
    const script = resolve(import.meta.dirname, '../fixtures/onnx-node-tests/generate.py')
    execFileSync(python, [script, file, ...operators], { stdio: 'inherit' })
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
    return lines.map((line) => JSON.parse(line) as NodeTest)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
