import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mediaUrl } from '#shared/contract/media.ts'
import { drawnFolder, drawPictures } from '../helpers/drawn-pictures.ts'
import { withContents } from '../helpers/folders.ts'
import { tinyBackboneFolder, trainingStudio } from '../helpers/training-studio.ts'
import type { TrainingStudio } from '../helpers/training-studio.ts'

let work: string
let backbones: string
let studio: TrainingStudio
let projectId: string
let runId: string
let fresh: string[]

const start = (): Promise<TrainingStudio> => trainingStudio(join(work, 'home'), backbones)
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'kestrel-kept-'))
  backbones = await tinyBackboneFolder(join(work, 'backbones'))
  const pictures = await drawnFolder(join(work, 'pictures'), { classes: 3, count: 12, seed: 3 })
  fresh = (await drawPictures(join(work, 'fresh'), { classes: 3, count: 3, seed: 99 })).map(
    ({ path }) => path,
  )
  studio = await start()
  projectId = await studio.projectOf(pictures)
  ;({ runId } = await studio.train(projectId))
})
afterAll(async () => {
  await studio.close()
  await rm(work, withContents)
})

const predict = (paths: readonly string[], more: { live?: boolean } = {}) =>
  studio.client.predictions.predict({
    ...{ projectId, runId, source: studio.sources.register(paths, 'read') },
    ...more,
  })
const asked = () => studio.client.predictions.asked({ projectId, runId })
const media = async (predictionId: string): Promise<number> => {
  const request = new Request(`http://studio.test${mediaUrl.prediction(projectId, predictionId)}`)
  return (await studio.fetch(request, 'loopback')).status
}
const folderOf = (): string => join(studio.registry.get(projectId).folder, 'answers')
const copies = async (): Promise<string[]> => (existsSync(folderOf()) ? readdir(folderOf()) : [])

describe('answers to single pictures', () => {
  it('are listed, the newest first, until they are cleared', async () => {
    const broken = join(work, 'broken.jpg')
    await writeFile(broken, 'this is no picture')
    const first = await predict([fresh[0]!, broken])
    const second = await predict([fresh[1]!])
    const { predictions, madeRoom } = await asked()
    expect(predictions).toEqual([...second.predictions, ...first.predictions])
    expect(madeRoom).toBe(0)
    expect(await copies()).toHaveLength(2)

    await studio.client.predictions.clearAsked({ projectId, runId })
    expect(await asked()).toEqual({ predictions: [], madeRoom: 0 })
    expect(await copies()).toEqual([])
    expect(await media(first.predictions[0]!.predictionId)).toBe(404)
    expect(existsSync(fresh[0]!)).toBe(true)
  })

  it('leave nothing of a look through the camera', async () => {
    expect((await predict([fresh[0]!], { live: true })).predictions).toHaveLength(1)
    expect((await asked()).predictions).toEqual([])
    expect(await copies()).toEqual([])
  })

  it('take pictures that were sent into the project, and leave no second copy where they waited', async () => {
    const token = await studio.uploads.begin()
    const bytes = await readFile(fresh[2]!)
    await studio.uploads.receive(token, 'pasted.png', new Blob([bytes]).stream())
    const [sent] = studio.sources.paths(token, 'read')
    const { predictions } = await studio.client.predictions.predict({ projectId, runId, source: token })
    expect(existsSync(sent!)).toBe(false)
    expect(await media(predictions[0]!.predictionId)).toBe(200)
    await studio.client.predictions.clearAsked({ projectId, runId })
  })

  it('say which label was given as long as that stands, also after a restart without the original', async () => {
    const gone = join(work, 'gone.jpg')
    await writeFile(gone, await readFile(fresh[0]!))
    await predict([gone, fresh[1]!])
    await rm(gone)
    const before = await asked()
    expect(before.predictions.map(({ name }) => name)).toEqual(['gone.jpg', basename(fresh[1]!)])
    await studio.close()
    studio = await start()
    await studio.client.projects.open({ projectId })
    expect(await asked()).toEqual(before)
    const { predictionId } = before.predictions[0]!
    expect(await media(predictionId)).toBe(200)

    await studio.client.predictions.feedback({ projectId, predictionId, label: { name: 'plum' } })
    await studio.close()
    studio = await start()
    await studio.client.projects.open({ projectId })
    const labelled = async () => (await asked()).predictions.map((each) => each.labelled?.name ?? null)
    expect(await labelled()).toEqual(['plum', null])
    await studio.client.labelling.undo({ projectId })
    expect(await labelled()).toEqual([null, null])
    await studio.client.labelling.redo({ projectId })
    expect(await labelled()).toEqual(['plum', null])
    const { total } = await studio.client.pictures.counts({ projectId })

    await studio.client.predictions.clearAsked({ projectId, runId })
    expect((await studio.client.pictures.counts({ projectId })).total).toBe(total)
  })

  it('remove what a studio that died left behind', async () => {
    await predict([fresh[0]!])
    await writeFile(join(folderOf(), 'pnobody.jpg'), 'half a copy')
    const folder = folderOf()
    await studio.close()
    studio = await start()
    await studio.client.projects.open({ projectId })
    // What is asked next waits until the leftovers are gone.
    await predict([fresh[1]!])
    expect((await asked()).predictions).toHaveLength(2)
    expect(await readdir(folder)).toHaveLength(2)
    await studio.client.predictions.clearAsked({ projectId, runId })
  })

  it('are held until the project is closed where they cannot be written down', async () => {
    await rm(folderOf(), { recursive: true })
    await writeFile(folderOf(), 'a file is in the way')
    const { predictions } = await predict([fresh[0]!])
    expect(predictions).toHaveLength(1)
    expect((await asked()).predictions).toEqual(predictions)
    expect(await media(predictions[0]!.predictionId)).toBe(200)
    expect(studio.log.lines.join('\n')).toContain('answers were not written down')
    await studio.client.predictions.clearAsked({ projectId, runId })
    expect((await asked()).predictions).toEqual([])
    await rm(folderOf())
  })

  it('go with their training', async () => {
    const other = await studio.train(projectId)
    const source = studio.sources.register([fresh[0]!], 'read')
    await studio.client.predictions.predict({ projectId, runId: other.runId, source })
    expect((await asked()).predictions).toEqual([])
    expect(await copies()).toHaveLength(1)
    await studio.client.runs.remove({ projectId, runId: other.runId })
    expect(await copies()).toEqual([])
    await expect(studio.client.predictions.asked({ projectId, runId: other.runId })).rejects.toMatchObject({
      data: { code: 'not-found' },
    })
  })
})
