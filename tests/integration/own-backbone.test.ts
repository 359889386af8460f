import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { appRoot, resourcesFolder } from '#shared/util/app-folders.ts'
import { readBackboneFolder } from '#studio/backbones/folder-source.ts'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { sampleFolder } from '../helpers/cli.ts'
import { withContents } from '../helpers/folders.ts'
import { trainingStudio } from '../helpers/training-studio.ts'
import type { TrainingStudio } from '../helpers/training-studio.ts'

const folder = join(resourcesFolder(), 'backbones')

describe('the backbone that comes with Kestrel', () => {
  let work: string
  let studio: TrainingStudio
  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'kestrel-own-'))
    // No other backbone anywhere.
    studio = await trainingStudio(join(work, 'home'), work)
  })
  afterAll(async () => {
    await studio.close()
    await rm(work, withContents)
  })

  it('is whole, takes at most four megabytes, and has its card beside it', async () => {
    const backbones = await readBackboneFolder(folder)
    expect(backbones).toHaveLength(1)
    const [own] = backbones
    expect(own).toMatchObject({ problem: null, licence: 'MIT' })
    expect(statSync(own!.file).size).toBeLessThanOrEqual(4e6)
    const card = join(folder, own!.id, 'card.md')
    expect(existsSync(card)).toBe(true)
    expect(readFileSync(card, 'utf8')).toContain(own!.sha256)
  })

  it('claims what the benchmark measured, of itself and of what stands beside it', () => {
    const measured = readFileSync(join(appRoot, 'docs', 'benchmarks.md'), 'utf8')
    const card = readFileSync(join(folder, 'kestrel_small_160', 'card.md'), 'utf8')
    const networks = ['kestrel_small_160', 'mobilenet_v2_1.0_224', 'mobilenet_v1_0.25_128']
    const sets = ['flowers5', 'trashnet6', 'caltech-boats', 'sign-digits10', 'magnetic-tile6']
    for (const [name, row] of [...sets.map((set) => [set, set]), ['mean of the sets', 'mean']]) {
      const claimed = card.split('\n').find((line) => line.startsWith(`| ${row}`))
      const figures = networks.map((network) => {
        const [, figure] = measured.split(`| ${network}: ${name} `)[1]!.split('**0')
        return figure!.slice(0, 4)
      })
      expect([row, [...claimed!.matchAll(/\.\d{3}/g)].join()]).toEqual([row, figures.join()])
    }
  })

  it('trains on the sample without anything else', async () => {
    const projectId = await studio.projectOf(sampleFolder, 'Finds')
    const { recommended } = await studio.client.training.options({ projectId })
    expect(recommended).toMatchObject({ recipe: 'head', backboneId: 'kestrel_small_160' })
    const { runId, job } = await studio.train(projectId)
    expect(job.error).toBeNull()
    const run = await studio.client.runs.get({ projectId, runId })
    // A fourth of the pictures would be right by chance.
    expect(run.testAccuracy).toBeGreaterThanOrEqual(0.95)
  })
})
