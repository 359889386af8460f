import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, cpus } from 'node:os'
import type { TrainerResultOf } from '#shared/contract/trainer.ts'
import { toKestrelError } from '#shared/errors/index.ts'

type Hello = TrainerResultOf<'hello'>
type EngineReport = Hello['engines'][number]

/** What this machine can run networks on, in words, for `hello`, `kestrel doctor` and the settings page. */
export async function engineReport(): Promise<Hello> {
  const onnx = await onnxReport()
  return {
    kind: 'hello',
    engines: [onnx, tensorFlowReport()],
    versions: {
      node: process.versions.node,
      v8: process.versions.v8,
      ...(onnx.version === null ? {} : { 'onnxruntime-node': onnx.version }),
    },
    cores: availableParallelism(),
  }
}

async function onnxReport(): Promise<EngineReport> {
  const report = { id: 'onnx', name: 'ONNX Runtime' }
  const version = packageVersion('onnxruntime-node')
  try {
    // Loading the native library is the test: a missing system library shows here and nowhere earlier.
    await import('onnxruntime-node')
    const processor = cpus()[0]?.model.trim() ?? 'unknown processor'
    return {
      ...report,
      version,
      available: true,
      detail: `Runs on the processor (${processor}, ${availableParallelism()} cores).`,
    }
  } catch (error) {
    return {
      ...report,
      version,
      available: false,
      detail: `Could not be loaded: ${error instanceof Error ? error.message : toKestrelError(error).message}`,
    }
  }
}

/** Named so that nobody wonders whether their graphics card was overlooked. */
function tensorFlowReport(): EngineReport {
  return {
    id: 'tfjs',
    name: 'TensorFlow',
    version: packageVersion('@tensorflow/tfjs-core'),
    available: false,
    detail: 'Not used for training yet: this version of Kestrel trains on the processor, with ONNX Runtime.',
  }
}

function packageVersion(name: string): string | null {
  try {
    const path = createRequire(import.meta.url).resolve(`${name}/package.json`)
    const found: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return typeof found === 'object' && found !== null && 'version' in found ? String(found.version) : null
  } catch (error) {
    // Only a name in a report: a package laid out in another way still runs.
    if (error instanceof Error && 'code' in error) return null
    throw error
  }
}
