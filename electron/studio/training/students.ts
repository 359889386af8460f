import type { Student, Teacher, TrainConfig } from '#shared/contract/training.ts'
import { studentIds, studentNetwork, studentSize } from '#shared/domain/distillation/students.ts'
import type { BackboneService } from '../backbones/service.ts'
import type { OpenProject } from '../projects/open-project.ts'
import { findModel } from '../runs/service.ts'
import { createRunsRepository } from '../storage/runs-repository.ts'
import type { RunRecord } from '../storage/runs-repository.ts'
import type { TrainerPool } from '../trainer-client/pool.ts'

/** A student that saves less is none. */
const LIGHTER = 0.9
/** All blocks of a backbone. */
const EVERY_BLOCK = 1000

export interface StudentPorts {
  pool: TrainerPool
  backbones: BackboneService
  /** The choices of a training that is begun now, and how many labels it would tell apart. */
  now(project: OpenProject): Promise<{ config: TrainConfig; classes: number }>
}

/**
 * What a teacher weighs, and the lighter networks it could be made small to. The middle one begins as Kestrel's own backbone
 * where that is there: it is of the same form and knows pictures already.
 * @throws KestrelError not-found, model-unreadable, backbone-unknown, backbone-damaged, no-backbone
 */
export async function studentsFor(
  { pool, backbones, now }: StudentPorts,
  project: OpenProject,
  teacher: Teacher,
): Promise<{ teacher: { bytes: number; milliseconds: number }; students: Student[] }> {
  const { weighed, config, classes } =
    'runId' in teacher
      ? ofRun(findModel(project, teacher.runId))
      : {
          weighed: { file: (await backbones.ensure(teacher.backboneId)).onnxPath },
          ...(await now(project)),
        }
  const own = (await backbones.list()).find(({ source, state }) => source === 'built-in' && state === 'ready')
  const ready = own ? await backbones.ensure(own.id) : null
  const networks = studentIds.map((id) => studentNetwork(id, { size: studentSize, outputs: classes }))
  const { models } = await pool.quick<'measure'>({
    kind: 'measure',
    models: [
      weighed,
      ...studentIds.map((id, index) =>
        id === 'small' && ready ? { file: ready.onnxPath } : { network: networks[index]! },
      ),
    ],
  })
  const [heavy, ...weights] = models
  const students = studentIds.map((id, index): Student => ({
    id,
    ...weights[index]!,
    ...(id === 'small' && ready
      ? {
          pretrained: true,
          config: {
            ...{ ...config, recipe: 'fine-tune' as const, backboneId: ready.id },
            changes: { topBlocks: EVERY_BLOCK },
          },
        }
      : {
          pretrained: false,
          config: {
            ...{ ...config, recipe: 'scratch' as const, backboneId: null },
            changes: { network: networks[index]! },
          },
        }),
  }))
  return { teacher: heavy!, students: students.filter(({ bytes }) => bytes < LIGHTER * heavy!.bytes) }
}

const ofRun = ({ run, folder }: { run: RunRecord; folder: string }) => ({
  weighed: { modelDir: folder },
  classes: run.classes.length,
  config: { ...run.config, objective: 'softmax' as const, folds: 0, teacherRunId: run.id },
})

/** The newest head on a backbone that has learned from the pictures and labels of now, divided as this training divides them. */
export function headOn(
  project: OpenProject,
  backboneId: string,
  { split, seed, together }: Pick<TrainConfig, 'split' | 'seed' | 'together'>,
): RunRecord | undefined {
  const cut = JSON.stringify([split, seed, together])
  return project.use(createRunsRepository).newestWithModel(
    ({ config, revision }) =>
      config.recipe === 'head' &&
      // The answers of an SVM are a ranking, no probabilities to learn from.
      config.objective === 'softmax' &&
      config.backboneId === backboneId &&
      revision === project.revision() &&
      JSON.stringify([config.split, config.seed, config.together]) === cut,
  )
}
