import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { TrainRequest, TrainResult } from '#shared/contract/trainer.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { StopSignal } from '../../../electron/trainer/host/context.ts'
import type { RequestContext } from '../../../electron/trainer/host/context.ts'
import { crossValidate } from '../../../electron/trainer/loop/cross-validate.ts'
import type { Train } from '../../../electron/trainer/loop/cross-validate.ts'
import { temporaryFolder } from '../../helpers/folders.ts'

function request(folds: number, pictures = 12): TrainRequest {
  return {
    ...{ kind: 'train', recipe: 'scratch', backbone: null, classes: ['a', 'b'], seed: 1, folds },
    images: Array.from({ length: pictures }, (_, id) => ({
      ...{ id, sha256: `${id}`.padStart(64, '0'), path: `/${id}.jpg`, label: id % 2 },
      split: id % 4 === 3 ? ('val' as const) : ('train' as const),
    })),
    ...{ cacheDir: temporaryFolder(), runDir: temporaryFolder(), checkpointDir: temporaryFolder() },
    ...{ warmStartFrom: null, gradients: null, engine: 'onnx' },
  }
}
const context = (stop = new StopSignal()): RequestContext => ({
  ...{ stop, progress: () => undefined, metric: () => undefined, partial: () => undefined },
})

/** A recipe that says "a" of every picture. */
const alwaysA = (asked: TrainRequest, stopped: TrainResult['stopped'] = null): TrainResult => {
  const held = asked.images.filter(({ split }) => split === 'test').map(({ id }) => id)
  const none = { ids: new Int32Array(0), probabilities: new Float32Array(0) }
  return {
    ...{ kind: 'train', featureLength: 0, regularisation: { chosen: null, tried: [] }, steps: 1, val: none },
    test: {
      ids: Int32Array.from(held),
      probabilities: Float32Array.from(held.flatMap(() => [1, 0])),
    },
    ...{ outOfFold: null, failed: [], timings: { features_s: 0, train_s: 0, evaluate_s: 0 }, stopped },
    ...{ features: { cached: 0, computed: 0 }, checks: [], kept: null },
  }
}
/** Answers the folds one after the other with what each of these says. */
const oneAfterTheOther = (...turns: Train[]): Train => {
  let turn = 0
  return (asked, own) => turns[turn++]!(asked, own)
}
const good: Train = async (asked) => alwaysA(asked)
const tooFew: Train = async () => {
  throw new KestrelError('too-few-pictures', 'Too few.')
}

describe('folds that cannot be trained', () => {
  test.each([
    ['too few pictures', tooFew, 'too few pictures were left to learn from'],
    [
      'numbers that broke down before anything good was reached',
      async () => {
        throw new KestrelError('training-diverged', 'Not finite.')
      },
      'numbers that are not finite',
    ],
    [
      'numbers that broke down later',
      async (asked) => alwaysA(asked, { reason: 'diverged', message: 'Not finite.' }),
      'numbers that are not finite',
    ],
  ] satisfies [string, Train, string][])('%s: left out and told', async (_, broken, words) => {
    const asked = request(3)
    const result = await crossValidate(asked, context(), oneAfterTheOther(good, broken, good))
    expect(new Set(result!.outOfFold!.fold)).toEqual(new Set([0, 2]))
    expect(result!.foldsLeftOut).toMatchObject({ count: 1, of: 3 })
    expect(result!.foldsLeftOut!.message).toContain(words)
    expect(readdirSync(asked.runDir)).toEqual([])
    // It is not taken for a finished one when the training goes on after a kill.
    expect(readdirSync(asked.checkpointDir!).filter((name) => name.endsWith('.json'))).toHaveLength(2)
  })

  test('all of them: no figures', async () => {
    const result = await crossValidate(request(3), context(), tooFew)
    expect(result).toMatchObject({ outOfFold: null, foldsLeftOut: { count: 3, of: 3 } })
  })

  test('an error that says nothing about the fold is not taken for one', async () => {
    const full: Train = async () => {
      throw new KestrelError('disk-full', 'Full.')
    }
    await expect(crossValidate(request(3), context(), full)).rejects.toMatchObject({ code: 'disk-full' })
  })
})

test('stopped in the first epoch of a fold, the folds are given up and nothing is thrown', async () => {
  const stop = new StopSignal()
  const asking: Train = async () => {
    stop.ask(true)
    throw new KestrelError('stopped', 'Stopped.')
  }
  expect(await crossValidate(request(3), context(stop), oneAfterTheOther(good, asking))).toBeNull()
})

test('given up altogether, it says so', async () => {
  const stop = new StopSignal()
  const asking: Train = async () => {
    stop.ask(false)
    throw new KestrelError('stopped', 'Stopped.')
  }
  await expect(crossValidate(request(3), context(stop), asking)).rejects.toMatchObject({ code: 'stopped' })
})

test('folds that would hold no picture are not trained', async () => {
  let trained = 0
  const counting: Train = async (asked) => {
    trained++
    return alwaysA(asked)
  }
  const result = await crossValidate(request(10, 4), context(), counting)
  expect(trained).toBe(new Set(result!.outOfFold!.fold).size)
  expect(result!.foldsLeftOut).toBeUndefined()
})
