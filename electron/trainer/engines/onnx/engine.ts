import { KestrelError } from '#shared/errors/index.ts'
import { lower, standardTarget } from '../../autodiff/lowering/index.ts'
import type { LoweringTarget } from '../../autodiff/lowering/index.ts'
import { writeOnnx } from '../../graph/onnx/index.ts'
import { guardPoolPadding } from '../../graph/optimise.ts'
import type { Graph } from '../../graph/types.ts'
import { upgradeOpset } from '../../graph/upgrade.ts'
import type { Engine, SessionOptions } from '../engine.ts'
import { probeCpu } from './probe.ts'
import { OnnxSession } from './session.ts'

/** ONNX Runtime on the processor, with training operators lowered to what `target` says it computes best. */
export const onnxEngineFor = (target: LoweringTarget): Engine => ({
  id: 'onnx',
  device: 'cpu',
  real: 'float32',
  open: (graph, options) => open(graph, target, options),
})

/** With the operators that every build of the runtime has. */
export const onnxEngine: Engine = onnxEngineFor(standardTarget)

/** With what this processor computes best, found out the first time somebody asks. */
export const bestOnnxEngine = async (): Promise<Engine> => onnxEngineFor((await probeCpu()).target)

async function open(
  graph: Graph,
  target: LoweringTarget,
  { threads, purpose = 'inference' }: SessionOptions = {},
): Promise<OnnxSession> {
  const model = writeOnnx(guardPoolPadding(lower(upgradeOpset(graph), target)))
  try {
    return await OnnxSession.open(model, {
      threads,
      // Weights that change cannot be laid out once and for all, which is what "all" adds.
      optimisation: purpose === 'training' ? 'extended' : 'all',
    })
  } catch (error) {
    throw refusal(error)
  }
}

/** The runtime says in words which operator it lacks: one that it does not know, or not for these types. */
function refusal(error: unknown): unknown {
  const cause = error instanceof KestrelError ? error.cause : undefined
  const words = cause instanceof Error ? cause.message : ''
  const operator = /(?:No Op registered for|Could not find an implementation for) (\w+)/.exec(words)?.[1]
  if (operator === undefined) return error
  return new KestrelError(
    'operator-unsupported',
    `This network uses the operator ${operator} in a form that ONNX Runtime does not compute.`,
    { cause },
  )
}
