import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { ExportFormat } from '#shared/contract/trainer.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { createRunsRepository } from '#studio/storage/runs-repository.ts'
import { runFolder } from '#studio/training/run-folder.ts'
import { aboutFile, aboutSchema } from '#trainer/export/about.ts'
import type { CliStudio } from './studio.ts'

/** A model to predict with. */
export interface Model {
  /** What the trainer opens. */
  folder: string
  /** Of its file. */
  format: ExportFormat
  name: string
  /** Of the network it was made from, as far as that is known. */
  licence: string
  classes: string[]
  /** Below this probability of the best label the answer is "not sure". */
  threshold: number
}

/**
 * Finds the model in the folder of an export or of a project (its newest training with a model).
 * @throws KestrelError model-unreadable; as opening a project
 */
export async function findModel(path: string, studio: CliStudio): Promise<Model> {
  const absolute = resolve(path)
  if (!existsSync(absolute))
    throw new KestrelError('model-unreadable', `There is no “${path}”.`, {
      remedy: 'Name the folder of an export or of a project.',
    })
  const folder = (await stat(absolute)).isDirectory() ? absolute : dirname(absolute)
  if (existsSync(join(folder, 'project.db'))) return modelOfProject(folder, studio)
  return modelOfExport(folder, existsSync(join(folder, aboutFile.tfjs)) ? 'tfjs' : 'onnx')
}

async function modelOfProject(folder: string, { projects, registry, training }: CliStudio): Promise<Model> {
  const { projectId } = await projects.openOrCreateAt(folder, basename(folder))
  const project = registry.get(projectId)
  const run = project.use(createRunsRepository).newestWithModel()
  if (!run)
    throw new KestrelError('model-unreadable', 'Nothing has been trained in this project yet.', {
      remedy: 'Train it first, in the studio or with "kestrel run".',
    })
  return {
    folder: runFolder(project, run.id),
    format: 'onnx',
    name: run.name,
    licence: run.facts.backbone?.licence ?? 'own work',
    classes: run.classes.map(({ name }) => name),
    threshold: training.thresholds.of(project, run).value,
  }
}

async function modelOfExport(folder: string, format: ExportFormat): Promise<Model> {
  try {
    const about = aboutSchema.parse(JSON.parse(await readFile(join(folder, aboutFile[format]), 'utf8')))
    return {
      folder,
      format,
      name: about.name,
      licence: 'see its model card',
      classes: about.labels,
      threshold: about.threshold,
    }
  } catch (error) {
    throw new KestrelError('model-unreadable', 'This folder holds no model that Kestrel can use.', {
      remedy: 'Name the folder of an export or of a project.',
      cause: error,
    })
  }
}
