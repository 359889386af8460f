import { expect, it } from 'vitest'
import { checkpointOf } from '#trainer/loop/checkpoint-place.ts'
import type { TrainRequest } from '#shared/contract/trainer.ts'
import { distillationObjectiveSchema } from '#shared/domain/distillation/objective.ts'

const requestIn = (project: string, teacher = '0001-abc') =>
  ({
    ...{
      kind: 'train',
      recipe: 'scratch',
      backbone: null,
      classes: ['a', 'b'],
      images: [],
      seed: 1,
      folds: 0,
    },
    ...{ cacheDir: '', runDir: '', warmStartFrom: null, gradients: null, engine: 'onnx' },
    checkpointDir: `${project}/checkpoints/0002-def`,
    teacher: {
      modelDir: `${project}/runs/${teacher}`,
      objective: distillationObjectiveSchema.parse({}),
      columns: [0, 1],
    },
  }) as unknown as TrainRequest
const data = { images: [], preprocessing: null } as unknown as Parameters<typeof checkpointOf>[1]
const fingerprint = (request: TrainRequest) => checkpointOf(request, data, 'scratch')!.fingerprint

it('a student goes on in a project that was moved, and not with another teacher', () => {
  const here = fingerprint(requestIn('/home/ann/Finds.kestrel'))
  expect(fingerprint(requestIn('/media/stick/Finds again.kestrel'))).toBe(here)
  expect(fingerprint(requestIn('/home/ann/Finds.kestrel', '0003-abc'))).not.toBe(here)
})
