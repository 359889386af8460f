import type { TrainRequest, TrainResult } from '#shared/contract/trainer.ts'
import { trainHead } from '../head/train-head.ts'
import { crossValidate } from '../loop/cross-validate.ts'
import { trainFineTune } from '../loop/train-fine-tune.ts'
import { trainScratch } from '../loop/train-scratch.ts'
import { compareWithTeacher } from '../distill/made-small.ts'
import { StopSignal, type RequestContext } from './context.ts'
import type { Handlers } from './host.ts'

/** The `train` request. Heads make their folds themselves, in seconds; the others train once for each. */
export const answerTrain: Handlers['train'] = async (request, context) => {
  switch (request.recipe) {
    case 'head':
      return await trainHead(request, context)
    case 'fine-tune':
      return await withTeacher(request, context, await withFolds(request, context, trainFineTune))
    case 'scratch':
      return await withTeacher(request, context, await withFolds(request, context, trainScratch))
  }
}

async function withTeacher(
  request: TrainRequest,
  context: RequestContext,
  result: TrainResult,
): Promise<TrainResult> {
  if (!request.teacher) return result
  // The model is whole: neither a late stop nor a teacher that is gone may take it away.
  const patient = { ...context, stop: new StopSignal() }
  try {
    return { ...result, madeSmall: await compareWithTeacher(request, result, patient) }
  } catch (error) {
    // Without its teacher beside it the small model is as good; the cause is for the log.
    console.error('the small model could not be held against its teacher:', error)
    return result
  }
}

async function withFolds(
  request: TrainRequest,
  context: RequestContext,
  train: (request: TrainRequest, context: RequestContext) => Promise<TrainResult>,
): Promise<TrainResult> {
  const result = await train(request, context)
  if (request.folds === 0 || result.stopped) return result
  const folds = await crossValidate(request, context, train)
  context.stop.throwIfDropped()
  if (folds === null)
    return {
      ...result,
      stopped: {
        reason: 'asked',
        message: 'Stopped. The model is finished; checking it on all pictures was left out.',
      },
    }
  return { ...result, ...folds }
}
