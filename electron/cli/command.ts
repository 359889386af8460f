import type { LabelRule } from '#shared/contract/projects.ts'
import type { TrainConfig } from '#shared/contract/training.ts'
import type { ExportFormat, HeadObjective, Recipe, TrainingEngine } from '#shared/contract/trainer.ts'
import type { StudentId } from '#shared/domain/distillation/students.ts'
import type { SplitFractions } from '#shared/domain/splits.ts'
import type { GradientChanges } from '#shared/domain/training/presets.ts'
import type { CommandName } from './help.ts'

export interface RunCommand {
  name: 'run'
  folder: string
  out: string
  backbone: string | null
  /** Null: `head` when a backbone is there, else `scratch`. */
  recipe: Recipe | null
  seed: number
  split: SplitFractions
  /** 0: no folds. */
  folds: number
  testFolder: string | null
  together: TrainConfig['together']
  /** Null: what fits the folders best. */
  labels: LabelRule | null
  exports: ExportFormat[]
  /** What differs from the recipe's preset. */
  changes: Omit<GradientChanges, 'network'>
  /** What the head on the backbone makes small. */
  head: HeadObjective
  /** A template's name, or a file with a network written down. */
  network: string | null
  /** A file with any part of the settings of a training by gradients; `changes` win over it. */
  training: string | null
  engine: TrainingEngine
  json: boolean
}
export interface DistillCommand {
  name: 'distill'
  /** Id of a backbone, or the folder of a project or of an ONNX export. */
  teacher: string
  /** Folders with pictures; labels play no part. */
  pictures: string[]
  /** Folders of which some pictures are left for tests. */
  probes: string[]
  student: StudentId
  /** Folder of a distillation whose student it goes on from; null: random weights. */
  begin: string | null
  /** Pixels, width and height. */
  size: number
  out: string
  /** Of each picture. */
  views: number
  epochs: number
  seed: number
  engine: TrainingEngine
  json: boolean
}
export interface ResumeCommand {
  name: 'resume'
  folder: string
  /** A stopped training is not gone on with: its model is taken as it is. */
  keep: boolean
  json: boolean
}
export interface GradcheckCommand {
  name: 'gradcheck'
  /** Only cases whose name contains this. */
  only: string | null
  engine: TrainingEngine
  json: boolean
}
export interface PredictCommand {
  name: 'predict'
  paths: string[]
  model: string
  csv: string | null
  sortInto: string | null
  json: boolean
}
export interface FeaturesCommand {
  name: 'features'
  folder: string
  backbone: string
  out: string
  json: boolean
}
export interface ServeCommand {
  name: 'serve'
  /** 0: any free one. */
  port: number
  project: string | null
  /** Also open the address in the default browser. */
  open: boolean
}
export interface DoctorCommand {
  name: 'doctor'
  json: boolean
}
export interface BackbonesCommand {
  name: 'backbones'
  action: { kind: 'list' } | { kind: 'add'; file: string } | { kind: 'get'; id: string }
  json: boolean
}
export interface HelpCommand {
  name: 'help'
  topic: CommandName | null
}
export type Command =
  | RunCommand
  | DistillCommand
  | ResumeCommand
  | GradcheckCommand
  | PredictCommand
  | FeaturesCommand
  | ServeCommand
  | DoctorCommand
  | BackbonesCommand
  | HelpCommand
  | { name: 'version' }
