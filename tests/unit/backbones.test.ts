import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { copyFile, mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { asTheyAre, preprocessingOf, symmetric } from '#shared/domain/preprocessing/scaling.ts'
import { readCatalogue } from '#studio/backbones/catalogue.ts'
import type { CatalogueEntry } from '#studio/backbones/catalogue.ts'
import { scalingText } from '#studio/backbones/preprocessing-text.ts'
import { createRates } from '#studio/backbones/rates.ts'
import { createBackboneService } from '#studio/backbones/service.ts'
import type { BackboneServicePorts } from '#studio/backbones/service.ts'
import { createEventBus } from '#studio/events/event-bus.ts'
import { createJobRunner } from '#studio/jobs/job-runner.ts'
import { readOnnx, writeOnnx } from '../../electron/trainer/graph/onnx/index.ts'
import { int } from '../../electron/trainer/graph/types.ts'
import { backboneOf, prepareBackbone } from '../../electron/trainer/models/backbone.ts'
import { classifierGraph } from '../../electron/trainer/models/classifier.ts'
import { temporaryFolder } from '../helpers/folders.ts'
import { describeWithShared, sharedPath } from '../helpers/shared.ts'
import { tinyFeatureLength, tinyNetwork } from '../helpers/tiny-backbone.ts'

const quiet = { info() {}, warn() {}, error() {} }
const bytes = tinyNetwork()
const sha256 = createHash('sha256').update(bytes).digest('hex')

function service(ports: Partial<BackboneServicePorts> = {}) {
  const home = ports.home ?? temporaryFolder()
  const bus = createEventBus((error) => {
    throw error
  })
  const jobs = createJobRunner({ bus, reportError: () => {} })
  let prepared = 0
  const made = createBackboneService({
    home,
    folder: null,
    builtIn: null,
    catalogue: [],
    jobs,
    bus,
    log: quiet,
    rates: createRates(join(home, 'rates.json')),
    prepare: (file, target) => {
      prepared++
      return prepareBackbone(file, target)
    },
    downloadOptions: { protocols: ['http:'], stallMs: 2000, attempts: 1, pauseMs: 1 },
    ...ports,
  })
  return { ...made, home, jobs, preparations: () => prepared }
}

/** The tiny network, taking bytes. */
function tinyNetworkForBytes(): Uint8Array {
  const graph = readOnnx(bytes)
  const cast = { name: 'real', op: 'Cast', domain: '', inputs: ['input'], outputs: ['real'] }
  const nodes = graph.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map((name) => (name === 'input' ? 'real' : name)),
  }))
  return writeOnnx({
    ...graph,
    inputs: graph.inputs.map((info) => ({ ...info, type: 'uint8' as const })),
    nodes: [{ ...cast, attributes: { to: int(1) } }, ...nodes],
  })
}

/** A folder as KESTREL_BACKBONES names it. */
async function backboneFolder(changes: Record<string, unknown> = {}): Promise<string> {
  const folder = temporaryFolder()
  await mkdir(join(folder, 'tiny'))
  await writeFile(join(folder, 'tiny', 'model.onnx'), bytes)
  const entry = {
    id: 'tiny',
    input: [32, 32, 3],
    preprocessing: 'x/127.5-1 RGB',
    features: tinyFeatureLength,
    model_sha256: sha256,
    file: 'model.onnx',
    ...changes,
  }
  await writeFile(join(folder, 'index.json'), JSON.stringify({ backbones: [entry] }))
  return folder
}

const entry = (url: string, changes: Partial<CatalogueEntry> = {}): CatalogueEntry => ({
  id: 'mobilenet_v2.tiny',
  name: 'Tiny',
  words: 'For tests.',
  architecture: 'mobilenet_v2',
  inputSize: 32,
  featureLength: tinyFeatureLength,
  bytes: bytes.length,
  licence: 'MIT',
  preprocessing: scalingText.parse('(x/255-(0.485,0.456,0.406))/(0.229,0.224,0.225) RGB'),
  hash: { algorithm: 'sha256', value: sha256 },
  publishedIn: 'here',
  file: 'tiny.onnx',
  urls: [url],
  ...changes,
})

async function serve(content: Uint8Array): Promise<string> {
  const server = createServer((_, response) => response.end(content))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/tiny.onnx`
}

describe('how scaling is written', () => {
  it.each([
    ['x/127.5-1 RGB', 'RGB', [127.5, 127.5, 127.5], [127.5, 127.5, 127.5]],
    ['BGR minus (104,117,123)', 'BGR', [123, 117, 104], [1, 1, 1]],
    ['(x-127)/128 RGB', 'RGB', [127, 127, 127], [128, 128, 128]],
    ['x/255 RGB', 'RGB', [0, 0, 0], [255, 255, 255]],
    ['x RGB', 'RGB', [0, 0, 0], [1, 1, 1]],
    ['(x/255-(0.5,0.25,0.125))/(0.5,0.25,1) BGR', 'BGR', [31.875, 63.75, 127.5], [255, 63.75, 127.5]],
  ])('%s', (text, channelOrder, mean, divisor) => {
    expect(scalingText.parse(text)).toEqual({ channelOrder, mean, divisor })
  })
  it('refuses what it does not understand', () => {
    for (const text of ['', 'torch', 'x/0 RGB', 'x*2'])
      expect(scalingText.safeParse(text).success, text).toBe(false)
  })
})

/** A folder as the app brings it along. */
function builtInFolder(network: Uint8Array, id = 'kestrel_tiny'): string {
  const folder = temporaryFolder()
  mkdirSync(join(folder, id))
  writeFileSync(join(folder, id, 'backbone.onnx'), network)
  const entry = {
    ...{ id, file: 'backbone.onnx', input: [32, 32, 3], preprocessing: 'x/127.5-1 RGB' },
    ...{ features: tinyFeatureLength, licence: 'MIT' },
    model_sha256: createHash('sha256').update(network).digest('hex'),
  }
  writeFileSync(join(folder, 'index.json'), JSON.stringify({ backbones: [entry] }))
  return folder
}

describe('what Kestrel brings along', () => {
  it('is ready at once, and is the default until a better one is there', async () => {
    const known = tinyNetwork(3)
    const hash = { algorithm: 'sha256', value: createHash('sha256').update(known).digest('hex') } as const
    const catalogue = [entry(await serve(known), { hash, bytes: known.length })]
    const { list, recommended, ensure, add, download, jobs } = service({
      builtIn: builtInFolder(bytes),
      catalogue,
    })
    expect(await list()).toMatchObject([
      { id: 'kestrel_tiny', source: 'built-in', state: 'ready', name: 'Kestrel’s own', licence: 'MIT' },
      { id: 'mobilenet_v2.tiny', state: 'available' },
    ])
    expect(await recommended()).toBe('kestrel_tiny')
    expect(await ensure('kestrel_tiny')).toMatchObject({ featureLength: tinyFeatureLength })
    expect((await list())[0]).toMatchObject({ id: 'kestrel_tiny', source: 'built-in', state: 'ready' })
    // Nobody knows what a file of the person's own is worth.
    const own = join(temporaryFolder(), 'mobilenet_v2.onnx')
    writeFileSync(own, tinyNetwork(2))
    const { id } = await add([own])
    expect(await recommended()).toBe('kestrel_tiny')
    await jobs.wait(download('mobilenet_v2.tiny').jobId)
    expect((await list()).map((each) => each.id)).toEqual(['mobilenet_v2.tiny', 'kestrel_tiny', id])
    expect(await recommended()).toBe('mobilenet_v2.tiny')
  })

  it('is prepared anew when a later Kestrel brings another one', async () => {
    const home = temporaryFolder()
    const before = service({ home, builtIn: builtInFolder(bytes) })
    const first = await before.ensure('kestrel_tiny')
    const later = service({ home, builtIn: builtInFolder(tinyNetwork(2)) })
    expect(await later.prepared('kestrel_tiny')).toBeNull()
    const second = await later.ensure('kestrel_tiny')
    expect(second.sha256).not.toBe(first.sha256)
    expect(await later.prepared('kestrel_tiny')).toEqual(second)
    expect(later.preparations()).toBe(1)
  })

  it('goes on from what was prepared when the app’s own file is damaged', async () => {
    const home = temporaryFolder()
    const folder = builtInFolder(bytes)
    const first = await service({ home, builtIn: folder }).ensure('kestrel_tiny')
    writeFileSync(join(folder, 'kestrel_tiny', 'backbone.onnx'), bytes.subarray(0, 100))
    const { ensure, list } = service({ home, builtIn: folder })
    expect(await ensure('kestrel_tiny')).toEqual(first)
    expect(await list()).toMatchObject([{ state: 'ready' }])
    const alone = service({ builtIn: folder })
    expect(await alone.list()).toMatchObject([
      { state: 'broken', detail: expect.stringContaining('damaged') },
    ])
    expect(await alone.recommended()).toBeNull()
  })
})

describe('the catalogue', () => {
  it('is valid, fetched over https only, and says where each hash is published', () => {
    const entries = readCatalogue()
    expect(entries.length).toBeGreaterThan(2)
    expect(new Set(entries.map(({ id }) => id)).size).toBe(entries.length)
    for (const { urls, publishedIn, hash } of entries) {
      expect(urls.every((url) => url.startsWith('https://'))).toBe(true)
      expect(publishedIn).toContain('https://github.com/onnx/models')
      expect(hash.value).toHaveLength(64)
    }
  })
})

describe('backbones', () => {
  it('has none to recommend when there is no source, and says why one is not ready', async () => {
    const { recommended, ensure } = service({ catalogue: [entry('http://127.0.0.1:9/x')] })
    expect(await recommended()).toBeNull()
    await expect(ensure('mobilenet_v2.tiny')).rejects.toMatchObject({ code: 'no-backbone' })
    await expect(ensure('nobody')).rejects.toMatchObject({ code: 'backbone-unknown' })
    await expect(ensure('../../etc')).rejects.toThrow()
  })

  it('takes one from a folder, prepares it once, and keeps it when the folder is gone', async () => {
    const folder = await backboneFolder()
    const first = service({ folder })
    expect(await first.list()).toMatchObject([
      { id: 'tiny', state: 'ready', source: 'folder', inputSize: 32 },
    ])
    const [one, two] = await Promise.all([first.ensure('tiny'), first.ensure('tiny')])
    expect(one).toEqual(two)
    expect(one).toMatchObject({
      featureLength: tinyFeatureLength,
      preprocessing: { size: { width: 32, height: 32 }, mean: [127.5, 127.5, 127.5] },
    })
    expect(
      createHash('sha256')
        .update(await readFile(one.onnxPath))
        .digest('hex'),
    ).toBe(one.sha256)
    expect(first.preparations()).toBe(1)

    const later = service({ home: first.home })
    expect(await later.list()).toMatchObject([{ id: 'tiny', state: 'ready', source: 'store' }])
    expect(await later.ensure('tiny')).toMatchObject({ sha256: one.sha256 })
    expect(later.preparations()).toBe(0)
  })

  it('reports a damaged file of the folder and does not recommend it', async () => {
    const { list, ensure, recommended } = service({
      folder: await backboneFolder({ model_sha256: '0'.repeat(64) }),
    })
    expect(await list()).toMatchObject([{ state: 'broken', detail: expect.stringContaining('damaged') }])
    expect(await recommended()).toBeNull()
    await expect(ensure('tiny')).rejects.toMatchObject({ code: 'backbone-damaged' })
  })

  it('lives without a folder that cannot be read', async () => {
    const folder = temporaryFolder()
    await writeFile(join(folder, 'index.json'), '{')
    expect(await service({ folder }).list()).toEqual([])
    expect(await service({ folder: join(folder, 'nowhere') }).list()).toEqual([])
  })

  it('offers files of a folder without an index, prepared once and left where they are', async () => {
    const folder = temporaryFolder()
    await writeFile(join(folder, 'My Net (2).onnx'), bytes)
    await writeFile(join(folder, 'notes.txt'), 'not a network')
    for (const [name, seed] of [
      ['berries', 2],
      ['.hidden', 3],
    ] as const) {
      await mkdir(join(folder, name))
      await writeFile(join(folder, name, 'model.onnx'), tinyNetwork(seed))
      // As beside an export: it only describes what lies there.
      await writeFile(join(folder, name, 'model.json'), '{}')
    }
    const { list, ensure, recommended, preparations, home, problems } = service({ folder })
    const [one, two] = await Promise.all([list(), list()])
    expect(one).toEqual(two)
    expect(preparations()).toBe(2)
    const facts = { state: 'ready', source: 'folder', inputSize: 32, featureLength: tinyFeatureLength }
    expect(one).toMatchObject([
      { id: 'own-berries', name: 'berries', ...facts },
      { id: 'own-My-Net-2', name: 'My Net (2)', ...facts },
    ])
    expect(await problems()).toEqual([])
    expect(await recommended()).toBe('own-berries')
    const { sha256 } = await ensure('own-berries')
    expect(await readdir(join(home, 'backbones', 'own-berries'))).toEqual(['info.json', 'prepared.onnx'])
    // Put away it is not offered any more, and a training that was made with it finds it.
    const without = service({ home })
    expect(await without.list()).toEqual([])
    await writeFile(join(home, 'berries.onnx'), tinyNetwork(5))
    expect((await without.add([join(home, 'berries.onnx')])).id).toBe('own-berries-2')
    await without.remove('own-berries-2')
    await without.requireReady('own-berries')
    expect(await without.ensure('own-berries')).toMatchObject({ sha256 })

    const later = service({ home, folder })
    expect(await later.ensure('own-berries')).toMatchObject({ sha256 })
    await writeFile(join(home, 'backbones', 'own-My-Net-2', 'prepared.onnx'), 'garbage')
    expect(await later.ensure('own-My-Net-2')).toMatchObject({ featureLength: tinyFeatureLength })
    expect(later.preparations()).toBe(1)
    // Another file of the same name is another network under the same id.
    await writeFile(join(folder, 'My Net (2).onnx'), tinyNetwork(9))
    const before = await later.ensure('own-My-Net-2')
    expect((await later.list()).filter(({ id }) => id.startsWith('own-My'))).toHaveLength(1)
    expect((await later.ensure('own-My-Net-2')).sha256).not.toBe(before.sha256)
  })

  it('does not offer a second time what was taken in before', async () => {
    const folder = temporaryFolder()
    await writeFile(join(folder, 'mine.onnx'), bytes)
    const { add, home } = service()
    await add([join(folder, 'mine.onnx')])
    const { list, preparations } = service({ home, folder })
    expect(await list()).toMatchObject([{ id: 'own-mine', source: 'added' }])
    expect(preparations()).toBe(0)
  })

  it('says of a file that it cannot be used, and why', async () => {
    const folder = temporaryFolder()
    await writeFile(join(folder, 'broken.onnx'), 'not a network')
    const { list, ensure, requireReady, recommended, preparations } = service({ folder })
    const [broken] = await list()
    expect(broken).toMatchObject({
      ...{ id: 'own-broken', name: 'broken.onnx', state: 'broken', source: 'folder' },
      detail: expect.stringMatching(/\w+\./),
    })
    await list()
    expect(preparations()).toBe(1)
    expect(await recommended()).toBeNull()
    for (const ask of [ensure, requireReady])
      await expect(ask('own-broken')).rejects.toMatchObject({
        code: 'backbone-unsupported',
        message: expect.stringContaining('broken.onnx'),
      })
  })

  it('says of a folder that it gives nothing, and why', async () => {
    const folder = temporaryFolder()
    const problemsOf = (of: string): Promise<string[]> => service({ folder: of }).problems()
    expect(await problemsOf(folder)).toEqual([expect.stringContaining(`${folder}, where there is no model`)])
    expect(await problemsOf(join(folder, 'nowhere'))).toEqual([expect.stringContaining('is not there')])
    await writeFile(join(folder, 'mine.onnx'), bytes)
    expect(await problemsOf(join(folder, 'mine.onnx'))).toEqual([expect.stringContaining('is not a folder')])
    expect(await problemsOf(folder)).toEqual([])
    await writeFile(join(folder, 'index.json'), '{')
    expect(await problemsOf(folder)).toEqual([expect.stringContaining('index.json cannot be understood')])
    expect(await service().problems()).toEqual([])
  })

  it('prepares anew what is damaged in the store, and says so when the original is damaged too', async () => {
    const { ensure, list, home, preparations } = service({ folder: await backboneFolder() })
    const { onnxPath, sha256: right } = await ensure('tiny')
    await writeFile(onnxPath, 'garbage')
    expect(await ensure('tiny')).toMatchObject({ sha256: right })
    expect(preparations()).toBe(2)

    await writeFile(onnxPath, 'garbage')
    await writeFile(join(home, 'backbones', 'tiny', 'model.onnx'), 'garbage')
    const later = service({ home })
    expect(await later.list()).toMatchObject([{ state: 'broken', detail: 'Its prepared file is damaged.' }])
    await expect(later.ensure('tiny')).rejects.toMatchObject({ code: 'backbone-damaged' })
    await later.remove('tiny')
    expect(await later.list()).toEqual([])

    // With the folder still there it is simply taken from there again.
    expect(await list()).toMatchObject([{ state: 'ready', source: 'folder' }])
  })

  it('downloads from the catalogue: checked, prepared, ready', async () => {
    const { download, jobs, list, recommended, home } = service({ catalogue: [entry(await serve(bytes))] })
    const { jobId } = download('mobilenet_v2.tiny')
    expect(download('mobilenet_v2.tiny')).toEqual({ jobId })
    expect((await list())[0]).toMatchObject({ state: 'downloading' })
    expect(await jobs.wait(jobId)).toMatchObject({ state: 'done', kind: 'download', title: 'Tiny' })
    expect(await list()).toMatchObject([{ state: 'ready', source: 'store', name: 'Tiny', licence: 'MIT' }])
    expect(await recommended()).toBe('mobilenet_v2.tiny')
    expect(await readdir(join(home, 'backbones', '.downloads'))).toEqual([])
  })

  it('says what went wrong with a download and leaves nothing behind', async () => {
    const wrong = await serve(Buffer.alloc(bytes.length))
    const { download, jobs, list } = service({ catalogue: [entry(wrong)] })
    const job = await jobs.wait(download('mobilenet_v2.tiny').jobId)
    expect(job).toMatchObject({ state: 'failed', error: { code: 'checksum-mismatch' } })
    expect(await list()).toMatchObject([{ state: 'available' }])
    expect(() => download('nobody')).toThrow('no backbone')
  })

  it("takes a file of the person's own, and knows the catalogue's by its bytes", async () => {
    const folder = temporaryFolder()
    await writeFile(join(folder, 'My Net (2).onnx'), bytes)
    const { add, ensure, list, remove } = service()
    const added = await add([join(folder, 'My Net (2).onnx')])
    expect(added).toMatchObject({ id: 'own-My-Net-2', source: 'added', state: 'ready', inputSize: 32 })
    expect(added.words).toContain('assumed')
    expect(await ensure(added.id)).toMatchObject({ preprocessing: { divisor: [127.5, 127.5, 127.5] } })
    expect((await add([folder])).id).toBe('own-My-Net-2-2')
    await remove(added.id)
    expect((await list()).map(({ id }) => id)).toEqual(['own-My-Net-2-2'])
    await expect(remove(added.id)).rejects.toMatchObject({ code: 'backbone-unknown' })

    const known = service({ catalogue: [entry('http://127.0.0.1:9/x')] })
    expect(await known.add([folder])).toMatchObject({ id: 'mobilenet_v2.tiny', source: 'store' })
  })

  it('takes the folder of an export, and says which of its files to choose', async () => {
    const folder = temporaryFolder()
    const exported = classifierGraph({
      trunk: backboneOf({ format: 'onnx', graph: readOnnx(bytes) }).graph,
      head: null,
      preprocessing: preprocessingOf({ width: 32, height: 32 }, asTheyAre),
      classes: Array.from({ length: tinyFeatureLength }, (_, index) => `label ${index}`),
    })
    await writeFile(join(folder, 'model.onnx'), writeOnnx(exported))
    await mkdir(join(folder, 'samples'))
    const beside = { kestrel: '1.0.0', format: 'onnx', file: 'model.onnx' }
    for (const name of ['model.json', 'package.json', 'samples/expected.json'])
      await writeFile(join(folder, name), JSON.stringify(name === 'model.json' ? beside : {}))
    const { add } = service()
    expect(await add([folder])).toMatchObject({
      id: 'own-model',
      name: 'model (label 0, label 1, label 2 and 21 more)',
      words: expect.stringContaining('tell label 0, label 1, label 2 and 21 more apart'),
    })
    await expect(add([join(folder, 'model.json')])).rejects.toMatchObject({
      code: 'backbone-unsupported',
      remedy: 'Choose the file model.onnx, or the folder.',
    })
    await expect(add([join(folder, 'package.json')])).rejects.toMatchObject({ code: 'backbone-unsupported' })
    await writeFile(join(folder, 'package.json'), 'no JSON')
    await expect(add([join(folder, 'package.json')])).rejects.toMatchObject({ code: 'backbone-unsupported' })
  })

  it("finds out more about a file of the person's own than the Kestrel that took it in", async () => {
    const folder = temporaryFolder()
    await writeFile(join(folder, 'bytes.onnx'), tinyNetworkForBytes())
    const { add, home } = service()
    const { id } = await add([join(folder, 'bytes.onnx')])
    const file = join(home, 'backbones', id, 'info.json')
    const info = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>
    const wrong = { preparedBy: 1, preprocessing: preprocessingOf({ width: 32, height: 32 }, symmetric) }
    await writeFile(file, JSON.stringify({ ...info, ...wrong, words: 'assumed', name: 'My own' }))
    const { ensure, list } = service({ home })
    expect(await ensure(id)).toMatchObject({ preprocessing: { divisor: [1, 1, 1] }, name: 'My own' })
    expect(await list()).toMatchObject([{ id, words: 'A backbone of your own.', state: 'ready' }])
  })

  it('refuses what is no network, with words, and leaves nothing behind', async () => {
    const folder = temporaryFolder()
    const { add, list } = service()
    await expect(add([folder])).rejects.toMatchObject({ code: 'backbone-unsupported' })
    await writeFile(join(folder, 'a.onnx'), 'not a network at all')
    await expect(add([folder])).rejects.toMatchObject({ code: expect.stringMatching(/^backbone-/) })
    await writeFile(join(folder, 'b.onnx'), 'another')
    await expect(add([folder])).rejects.toMatchObject({ code: 'backbone-unsupported' })
    expect(await list()).toEqual([])
  })

  it('remembers how fast this machine was', async () => {
    const file = join(temporaryFolder(), 'deep', 'rates.json')
    const rates = createRates(file)
    await rates.noteFeatures('tiny', 5, 1)
    expect(rates.features('tiny')).toBeNull()
    await rates.noteFeatures('tiny', 100, 2)
    await rates.noteFit(1e6, 0.5, false)
    expect(rates.fit(true)).toBe(2e6)
    await rates.noteFit(1e6, 0.1, true)
    expect(rates.fit(true)).toBe(1e7)
    expect(createRates(file).features('tiny')).toBe(50)
    expect(createRates(file).fit(false)).toBe(2e6)
    await writeFile(file, 'broken')
    expect(createRates(file).fit(true)).toBeNull()
  })
})

describeWithShared('real backbones', ['backbones/index.json'], () => {
  it('prefers MobileNet V2 and knows how each wants its pictures', async () => {
    const { list, recommended, ensure } = service({ folder: sharedPath('backbones') })
    expect(await recommended()).toBe('mobilenet_v2_1.0_224')
    expect((await list()).map(({ name, state }) => `${name}: ${state}`)).toEqual([
      'MobileNet V2, 224 px: ready',
      'MobileNet V1 × 0.50, 160 px: ready',
      'MobileNet V1 × 0.25, 128 px: ready',
      'SqueezeNet: ready',
    ])
    expect((await list()).map(({ licence }) => licence)).toEqual([
      ...['Apache-2.0', 'Apache-2.0', 'Apache-2.0'],
      'MIT and BSD-2-Clause',
    ])
    expect(await ensure('mobilenet_v1_0.25_128')).toMatchObject({
      licence: 'Apache-2.0',
      featureLength: 256,
      preprocessing: {
        size: { width: 128, height: 128 },
        channelOrder: 'RGB',
        divisor: [127.5, 127.5, 127.5],
      },
    })
  })

  it('finds the scaling of an added Keras file by itself', async () => {
    const { add } = service()
    const folder = temporaryFolder()
    await copyFile(sharedPath('backbones/mobilenet_v1_0.25_128/model.h5'), join(folder, 'net.h5'))
    expect(await add([join(folder, 'net.h5')])).toMatchObject({
      architecture: 'mobilenet_v1',
      words: 'A backbone of your own.',
      featureLength: 256,
    })
  })
})
