import { stat } from 'node:fs/promises'
import type { TrainerRequest, TrainerResultOf } from '#shared/contract/trainer.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { NetworkPool } from '../data/network-pool.ts'
import { stoppedError, type RequestContext } from '../host/context.ts'
import { readModelFolder } from '../host/run-folder.ts'

type PredictRequest = Extract<TrainerRequest, { kind: 'predict' }>

/** Models kept ready: the one in use and the one it is compared with. */
const KEPT = 2

interface WarmModel {
  key: string
  classes: string[]
  pool: NetworkPool
  /** Requests that are using it; it is not put away before they are done. */
  users: number
}

/** Predicts from picture files; a model is loaded once and kept warm. */
export class Predictor {
  /** Most recently used last. */
  private readonly models: WarmModel[] = []

  /**
   * Sends one `partial` per picture, in the order in which they get done. A picture that cannot be read is an answer,
   * not an error. Without pictures the model is only made ready.
   * @throws KestrelError `model-unreadable`; `stopped` when asked to stop.
   */
  async predict(request: PredictRequest, context: RequestContext): Promise<TrainerResultOf<'predict'>> {
    const model = await this.take(request.modelDir)
    const { images } = request
    if (images.length === 0) model.pool.warm()
    let [next, done, failed] = [0, 0, 0]
    const began = performance.now()
    const lane = async (): Promise<void> => {
      while (next < images.length && context.stop.asked === null) {
        const { id, path } = images[next++]!
        const { values, error, milliseconds } = await model.pool.submit({ path })
        if (values && values.length !== model.classes.length)
          throw new KestrelError(
            'model-unreadable',
            'The network of this model does not fit its list of classes.',
          )
        if (error) failed += 1
        done += 1
        context.partial({ kind: 'predict', id, probabilities: values, error, milliseconds })
        const seconds = (performance.now() - began) / 1000
        context.progress('evaluating', done, images.length, seconds > 0.2 ? done / seconds : null)
      }
    }
    try {
      await Promise.all(Array.from({ length: Math.min(model.pool.capacity, images.length) }, lane))
    } finally {
      model.users -= 1
      await this.putAwayOld()
    }
    if (context.stop.asked !== null) throw stoppedError()
    return { kind: 'predict', classes: model.classes, done: done - failed, failed }
  }

  async dispose(): Promise<void> {
    await Promise.all(this.models.splice(0).map(({ pool }) => pool.close()))
  }

  private async take(modelDir: string): Promise<WarmModel> {
    const run = await readModelFolder(modelDir)
    const { mtimeMs, size } = await stat(run.modelPath).catch((error: unknown) => {
      throw new KestrelError('model-unreadable', 'The network of this model is missing.', { cause: error })
    })
    // A folder that was written anew is another model.
    const key = `${run.modelPath} ${mtimeMs} ${size}`
    const at = this.models.findIndex((model) => model.key === key)
    const model: WarmModel = this.models.splice(at, at < 0 ? 0 : 1)[0] ?? {
      key,
      classes: run.classes,
      pool: new NetworkPool({
        onnxPath: run.format === 'onnx' ? run.modelPath : null,
        tfjsPath: run.format === 'tfjs' ? run.modelPath : null,
        preprocessing: run.preprocessing,
      }),
      users: 0,
    }
    model.users += 1
    this.models.push(model)
    return model
  }

  private async putAwayOld(): Promise<void> {
    for (const model of this.models.slice(0, -KEPT)) {
      if (model.users > 0) continue
      this.models.splice(this.models.indexOf(model), 1)
      await model.pool.close()
    }
    // A pool that broke (a worker died, a network could not be loaded) is not kept: the next request begins anew.
    for (const model of this.models.filter(({ pool, users }) => pool.broken && users === 0)) {
      this.models.splice(this.models.indexOf(model), 1)
      await model.pool.close()
    }
  }
}
