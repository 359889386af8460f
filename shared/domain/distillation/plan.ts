import { presetAugmentation, type Augmentation } from '../augmentation/index.ts'
import type { NetworkSpec } from '../network/spec.ts'
import { parseFittingConfig, type FittingConfig } from '../training/config.ts'
import { distillationObjectiveSchema, type DistillationObjective } from './objective.ts'
import { studentNetwork, studentSize, type StudentId } from './students.ts'

export interface DistillationPlan {
  network: NetworkSpec
  /** Pixels, width and height: of learning, and those that whole pictures could be shown in afterwards. */
  sizes: number[]
  objective: DistillationObjective
  fitting: FittingConfig
  augmentation: Augmentation
}

/** Everything that decides the course of a distillation of features, besides pictures, teacher and seed. */
export function planDistillation({
  student,
  size = studentSize,
  featureLength,
  epochs,
  begun = false,
}: {
  student: StudentId
  /** Pixels, width and height. */
  size?: number
  /** Of the teacher. */
  featureLength: number
  epochs: number
  /** It goes on from a student that has learned already: in smaller steps. */
  begun?: boolean
}): DistillationPlan {
  return {
    network: studentNetwork(student, { size, outputs: featureLength }),
    // Up to half as large again; students fit multiples of 32.
    sizes: [size, size + 32, size + 64].filter((each) => each <= 1.5 * size),
    objective: distillationObjectiveSchema.parse({}),
    fitting: parseFittingConfig({
      optimiser: { kind: 'adamw' },
      learningRate: begun ? 1.5e-3 : 3e-3,
      schedule: { kind: 'cosine', warmup: 0.05 },
      regularisation: { weightDecay: 0.02, clipNorm: 5, averageDecay: 0.999 },
      batchSize: 64,
      epochs,
    }),
    // Views differ from each other already, and the teacher is shown them as they are.
    augmentation: presetAugmentation('light'),
  }
}
