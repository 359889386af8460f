import { engineReport } from '../engines/report.ts'
import { answerTrain } from './answer-train.ts'
import { answerPrepare } from './answer-prepare.ts'
import { distillBackbone } from '../distill/distill-backbone.ts'
import { measureModels } from '../distill/weigh.ts'
import { Predictor } from '../predict/predictor.ts'
import { answerFeatures } from './answer-features.ts'
import type { Handlers } from './host.ts'

/** Which part of the trainer answers what; `dispose` ends what is kept warm. */
export function createHandlers(): { handlers: Handlers; dispose: () => Promise<void> } {
  const predictor = new Predictor()
  return {
    handlers: {
      hello: () => engineReport(),
      'prepare-backbone': answerPrepare,
      features: answerFeatures,
      train: answerTrain,
      distill: distillBackbone,
      measure: measureModels,
      predict: (request, context) => predictor.predict(request, context),
      // Loaded when first needed: it brings TensorFlow.js along, which would slow down every start.
      export: async (request, context) => (await import('../export/index.ts')).exportModel(request, context),
    },
    dispose: () => predictor.dispose(),
  }
}
