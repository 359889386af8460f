import type { PrepareBackboneResult } from '#shared/contract/trainer.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { OnnxSession } from '../engines/onnx/session.ts'
import { float32 } from '../graph/tensor.ts'
import { prepareBackbone } from '../models/backbone.ts'
import type { Handlers } from './host.ts'

/**
 * The `prepare-backbone` request. What was prepared is run once, on a made-up picture: a network that the runtime cannot run
 * is refused while the person stands before it, not in the middle of a training.
 */
export const answerPrepare: Handlers['prepare-backbone'] = async ({ file, target }) => {
  const result = await prepareBackbone(file, target)
  await tryOut(target, result)
  return result
}

async function tryOut(file: string, { input, featureLength }: PrepareBackboneResult): Promise<void> {
  const refused = (why: string, cause?: unknown): KestrelError =>
    new KestrelError('backbone-unsupported', `This network cannot serve as a backbone: ${why}.`, {
      remedy: 'Save it again with ordinary ONNX operators and 32-bit floats, or choose another one.',
      cause,
    })
  let found: Float32Array
  try {
    const session = await OnnxSession.open(file)
    try {
      const shape = [1, 3, input.height, input.width]
      const picture = float32(
        shape,
        Float32Array.from(
          { length: 3 * input.height * input.width },
          (_, index) => ((index * 37) % 101) / 101,
        ),
      )
      const { features } = await session.run({ input: picture })
      found = Float32Array.from(features?.data as ArrayLike<number>)
    } finally {
      await session.dispose()
    }
  } catch (error) {
    const said = error instanceof KestrelError ? error.cause : error
    throw refused(`ONNX Runtime cannot run it (${firstLine(said)})`, error)
  }
  if (found.length !== featureLength || !found.every(Number.isFinite))
    throw refused('what it gives for a picture is not a list of numbers')
}

/** What the runtime says goes on for a page. */
const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0]!.slice(0, 200)
