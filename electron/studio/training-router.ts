import type { BackboneService } from './backbones/service.ts'
import type { ComparisonService } from './comparison/service.ts'
import type { EvaluationService } from './evaluation/service.ts'
import type { ExportsService } from './exports/service.ts'
import type { SourceAccess } from './ports.ts'
import type { PredictionsService } from './predictions/service.ts'
import type { RunsService } from './runs/service.ts'
import { os } from './server/rpc.ts'
import type { TrainingService } from './training/service.ts'

interface Services {
  training: TrainingService
  runs: RunsService
  evaluation: EvaluationService
  predictions: PredictionsService
  exports: ExportsService
  backbones: BackboneService
  comparison: ComparisonService
  sources: SourceAccess
}

const ok = { ok: true } as const

/** The calls of the contract that are about training, judging, using and exporting models. */
export function trainingRouter({
  training,
  runs,
  evaluation,
  predictions,
  exports,
  backbones,
  comparison,
  sources,
}: Services) {
  return {
    training: os.training.router({
      options: os.training.options.handler(({ input }) => training.options(input)),
      forecast: os.training.forecast.handler(({ input }) => training.forecast(input)),
      students: os.training.students.handler(({ input }) => training.students(input)),
      makeSmall: os.training.makeSmall.handler(({ input }) => training.makeSmall(input)),
      start: os.training.start.handler(({ input }) => training.start(input)),
      resume: os.training.resume.handler(({ input }) => training.resume(input)),
      stop: os.training.stop.handler(({ input }) => {
        training.stop(input)
        return ok
      }),
    }),
    runs: os.runs.router({
      list: os.runs.list.handler(({ input }) => runs.list(input)),
      get: os.runs.get.handler(({ input }) => runs.get(input)),
      curve: os.runs.curve.handler(({ input }) => runs.curve(input)),
      rename: os.runs.rename.handler(({ input }) => runs.rename(input)),
      remove: os.runs.remove.handler(async ({ input }) => {
        await runs.remove(input)
        return ok
      }),
      passport: os.runs.passport.handler(({ input }) => runs.passport(input)),
    }),
    evaluation: os.evaluation.router({
      summary: os.evaluation.summary.handler(({ input }) => evaluation.summary(input)),
      pictures: os.evaluation.pictures.handler(({ input }) => evaluation.pictures(input)),
      flips: os.evaluation.flips.handler(({ input }) => evaluation.flips(input)),
    }),
    predictions: os.predictions.router({
      threshold: os.predictions.threshold.handler(({ input }) => predictions.threshold(input)),
      setThreshold: os.predictions.setThreshold.handler(({ input }) => predictions.setThreshold(input)),
      predict: os.predictions.predict.handler(({ input, signal }) => predictions.predict(input, signal)),
      asked: os.predictions.asked.handler(({ input }) => predictions.asked(input)),
      clearAsked: os.predictions.clearAsked.handler(async ({ input }) => {
        await predictions.clearAsked(input)
        return ok
      }),
      predictFolder: os.predictions.predictFolder.handler(({ input }) => predictions.predictFolder(input)),
      folders: os.predictions.folders.handler(({ input }) => predictions.folders(input)),
      table: os.predictions.table.handler(({ input }) => predictions.table(input)),
      sortInto: os.predictions.sortInto.handler(({ input }) => predictions.sortInto(input)),
      feedback: os.predictions.feedback.handler(({ input }) => predictions.feedback(input)),
    }),
    exports: os.exports.router({
      list: os.exports.list.handler(({ input }) => exports.list(input)),
      start: os.exports.start.handler(({ input }) => exports.start(input)),
      texts: os.exports.texts.handler(({ input }) => exports.texts(input)),
      saveTo: os.exports.saveTo.handler(({ input }) => exports.saveTo(input)),
    }),
    backbones: os.backbones.router({
      list: os.backbones.list.handler(() => backbones.list()),
      problems: os.backbones.problems.handler(() => backbones.problems()),
      download: os.backbones.download.handler(({ input }) => backbones.download(input.backboneId)),
      add: os.backbones.add.handler(({ input }) => backbones.add(sources.paths(input.source, 'read'))),
      remove: os.backbones.remove.handler(async ({ input }) => {
        await backbones.remove(input.backboneId)
        return ok
      }),
    }),
    comparison: os.comparison.router({
      get: os.comparison.get.handler(({ input }) => comparison.get(input)),
      measure: os.comparison.measure.handler(({ input }) => comparison.measure(input)),
      decide: os.comparison.decide.handler(async ({ input }) => {
        await comparison.decide(input)
        return ok
      }),
    }),
  }
}
