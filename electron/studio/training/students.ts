import type { Student } from '#shared/contract/training.ts'
import { studentIds, studentNetwork, studentSize } from '#shared/domain/distillation/students.ts'
import type { BackboneService } from '../backbones/service.ts'
import type { OpenProject } from '../projects/open-project.ts'
import { findModel } from '../runs/service.ts'
import type { TrainerPool } from '../trainer-client/pool.ts'

/** A student that saves less is none. */
const LIGHTER = 0.9
/** All blocks of a backbone. */
const EVERY_BLOCK = 1000

/**
 * What a finished model weighs, and the lighter networks it could be made small to. The middle one begins as Kestrel's own backbone
 * where that is there: it is of the same form and knows pictures already.
 * @throws KestrelError not-found, model-unreadable
 */
export async function studentsFor(
  { pool, backbones }: { pool: TrainerPool; backbones: BackboneService },
  project: OpenProject,
  runId: string,
): Promise<{ teacher: { bytes: number; milliseconds: number }; students: Student[] }> {
  const { run, folder } = findModel(project, runId)
  const own = (await backbones.list()).find(({ source, state }) => source === 'built-in' && state === 'ready')
  const ready = own ? await backbones.ensure(own.id) : null
  const networks = studentIds.map((id) =>
    studentNetwork(id, { size: studentSize, outputs: run.classes.length }),
  )
  const { models } = await pool.quick<'measure'>({
    kind: 'measure',
    models: [
      { modelDir: folder },
      ...studentIds.map((id, index) =>
        id === 'small' && ready ? { file: ready.onnxPath } : { network: networks[index]! },
      ),
    ],
  })
  const [teacher, ...weights] = models
  const common = { ...run.config, objective: 'softmax' as const, folds: 0, teacherRunId: run.id }
  const students = studentIds.map((id, index): Student => ({
    id,
    ...weights[index]!,
    ...(id === 'small' && ready
      ? {
          pretrained: true,
          config: {
            ...{ ...common, recipe: 'fine-tune' as const, backboneId: ready.id },
            changes: { topBlocks: EVERY_BLOCK },
          },
        }
      : {
          pretrained: false,
          config: {
            ...{ ...common, recipe: 'scratch' as const, backboneId: null },
            changes: { network: networks[index]! },
          },
        }),
  }))
  return { teacher: teacher!, students: students.filter(({ bytes }) => bytes < LIGHTER * teacher!.bytes) }
}
