import { comparison } from './comparison.ts'
import { labelling, labels, pictures } from './dataset.ts'
import { imports, projects } from './projects.ts'
import { jobs, system } from './system.ts'
import { evaluation, runs, training } from './training.ts'
import { backbones, exportsContract, predictions } from './use.ts'

/** The one description of what page and studio say to each other. Both ends are derived from it. */
export const contract = {
  system,
  jobs,
  projects,
  imports,
  pictures,
  labels,
  labelling,
  training,
  runs,
  evaluation,
  predictions,
  exports: exportsContract,
  backbones,
  comparison,
}
export type Contract = typeof contract
