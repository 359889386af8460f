import { join } from 'node:path'
import type { OpenProject } from '../projects/open-project.ts'

/** Where the model of a run lies. */
export const runFolder = (project: OpenProject, runId: string): string => join(project.paths.runs, runId)
