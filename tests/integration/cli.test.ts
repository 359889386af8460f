import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { runResultSchema } from '../../electron/cli/result.ts'
import { copySample, kestrel } from '../helpers/cli.ts'
import { describeWithShared, sharedPath } from '../helpers/shared.ts'
import { tinyNetwork } from '../helpers/tiny-backbone.ts'
import { withContents } from '../helpers/folders.ts'

let folder = ''
let env: Record<string, string> = {}
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kestrel-cli-'))
  env = { KESTREL_HOME: join(folder, 'home') }
})
afterAll(() => rm(folder, withContents))

const saidSchema = z.object({
  pictures: z.array(z.object({ probabilities: z.record(z.string(), z.number()).optional() })),
})
const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) })

describe('kestrel without work', () => {
  it('says its version and helps', async () => {
    const version = await kestrel(['--version'], { env })
    expect(version).toMatchObject({ code: 0, stderr: '' })
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
    const help = await kestrel(['run', '--help'], { env })
    expect(help.code).toBe(0)
    expect(help.stdout).toContain('--test-folder')
  })

  it('answers with one JSON document where that is asked for', async () => {
    const document = async (...args: string[]): Promise<unknown> => {
      const { code, stdout } = await kestrel(args, { env })
      expect(code).toBe(0)
      return JSON.parse(stdout)
    }
    const version: unknown = expect.stringMatching(/^\d+\.\d+\.\d+$/)
    expect(await document('--version', '--json')).toEqual({ kestrel: version })
    const help: unknown = expect.stringContaining('kestrel run FOLDER --out DIR')
    for (const args of [
      ['--help', '--json'],
      ['--json', '--help'],
      ['run', '--json', '--help'],
    ])
      expect(await document(...args)).toEqual({ help })
  })

  it('answers wrong usage with one line and exit code 2', async () => {
    const plain = await kestrel(['run', 'x', '--out', 'y', '--sead', '1'], { env })
    expect(plain).toEqual({
      code: 2,
      stdout: '',
      stderr: 'kestrel run: There is no option --sead. See kestrel run --help.\n',
    })
    const json = await kestrel(['run', '--json'], { env })
    expect(json.code).toBe(2)
    expect(errorSchema.parse(JSON.parse(json.stdout)).error.code).toBe('usage')
  })

  it('answers failures with words and exit code 1', async () => {
    const plain = await kestrel(['run', join(folder, 'nothing'), '--out', join(folder, 'p')], { env })
    expect(plain).toMatchObject({ code: 1, stdout: '' })
    expect(plain.stderr).toMatch(/^There is no “.*nothing”\. Check the spelling of the path\.\n$/)
    const json = await kestrel(['predict', folder, '--model', folder, '--json'], { env })
    expect(json.code).toBe(1)
    expect(errorSchema.parse(JSON.parse(json.stdout)).error.code).toBe('model-unreadable')
  })

  it('leaves nothing behind, and says no more than the error, when it ends while its trainer starts', async () => {
    const [pictures, out, temporary] = ['some', 'some-project', 'temporary'].map((name) => join(folder, name))
    copySample(pictures!, ['leaf'], 1)
    for (const each of [out!, temporary!]) mkdirSync(each)
    // What tells that there will be cached features, for which the trainer starts at once.
    writeFileSync(join(out!, 'project.db'), '')
    const args = ['run', pictures!, '--out', out!, '--backbone', 'nope']
    // Until all that was started has let go of stderr.
    const { code, stderr } = await kestrel(args, { env: { ...env, TMPDIR: temporary! } })
    expect(code).toBe(1)
    expect(stderr).toBe('There is no backbone "nope". "kestrel backbones" lists those that can be had.\n')
    expect(readdirSync(temporary!)).toEqual([])
  })

  it('lists what lies in a folder without an index, and says in words what cannot be used', async () => {
    const more = join(folder, 'more-backbones')
    mkdirSync(more)
    writeFileSync(join(more, 'mine.onnx'), tinyNetwork())
    writeFileSync(join(more, 'broken.h5'), 'not a network')
    const found = await kestrel(['backbones', 'list'], { env: { ...env, KESTREL_BACKBONES: more } })
    expect(found.stdout).toMatch(/^own-mine: ready, 32 px, 24 features/m)
    expect(found.stdout).toMatch(/^own-broken: broken, [A-Z].*\.$/m)
    const nowhere = { ...env, KESTREL_BACKBONES: join(folder, 'nowhere') }
    const words = `KESTREL_BACKBONES names ${join(folder, 'nowhere')}, which is not there.`
    const listed = await kestrel(['backbones', 'list', '--json'], { env: nowhere })
    expect(listed).toMatchObject({ code: 0, stderr: expect.stringContaining(words) })
    expect(JSON.parse(listed.stdout)).toMatchObject({ problems: [expect.stringContaining(words)] })
    const checked = await kestrel(['doctor'], { env: nowhere })
    expect(checked.stdout).toContain(`✗ ${words}`)
    const report = await kestrel(['doctor', '--json'], { env: nowhere })
    expect(JSON.parse(report.stdout)).toMatchObject({ backboneProblems: [expect.stringContaining(words)] })
  })

  it('doctor says what works here', async () => {
    const { code, stdout } = await kestrel(['doctor', '--json'], { env })
    expect(code).toBe(0)
    const report = z
      .object({
        engines: z.array(z.object({ id: z.string(), available: z.boolean() })),
        backbones: z.array(z.object({ id: z.string(), state: z.string() })),
        folders: z.object({ home: z.string() }),
        disk: z.object({ free: z.number() }),
      })
      .parse(JSON.parse(stdout))
    expect(report.engines).toContainEqual({ id: 'onnx', available: true })
    expect(report.folders.home).toBe(env['KESTREL_HOME'])
  })
})

describe('kestrel serve', () => {
  it('prints one address that works once and ends with Ctrl+C', async () => {
    let visits: Promise<number[]> | undefined
    const { code, stdout } = await kestrel(['serve'], {
      env,
      onOutput({ stdout: said }, kill) {
        if (visits || !said.endsWith('\n')) return
        const visit = async (): Promise<number> => (await fetch(said.trim())).status
        visits = visit().then(async (first) => [first, await visit()])
        void visits.finally(() => kill('SIGINT'))
      },
    })
    expect(stdout).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]+\n$/)
    expect(await visits).toEqual([200, 401])
    expect(code).toBe(130)
  })
})

// Trainings and a proof, on a machine that may be busy with other tests.
describe('kestrel run with nothing but what comes with Kestrel', { timeout: 300_000 }, () => {
  const at = (name: string): string => join(folder, name)

  it('goes from a folder to a proven export, and predicts with it', async () => {
    copySample(at('pictures'), ['leaf', 'shell'], 8)
    writeFileSync(join(at('pictures'), 'leaf', 'broken.jpg'), 'not a picture')
    const { code, stdout, stderr } = await kestrel(
      ['run', at('pictures'), '--out', at('project'), '--export', 'onnx,tfjs', '--seed', '3', '--json'],
      { env },
    )
    expect(stderr).toContain('Computing features')
    expect(code).toBe(0)
    const result = runResultSchema.parse(JSON.parse(stdout))
    expect(result).toMatchObject({
      seed: 3,
      engine: 'onnx',
      backbone: 'kestrel_small_160',
      recipe: 'head',
      classes: ['leaf', 'shell'],
      images: { read: 16, duplicates: 0 },
    })
    expect(result.images.skipped.map(({ file }) => file)).toEqual(['leaf/broken.jpg'])
    expect(result.split.train + result.split.val + result.split.test).toBe(16)
    expect(result.metrics.test?.confusion.flat().reduce((a, b) => a + b)).toBe(result.split.test)
    expect(JSON.parse(readFileSync(join(at('project'), 'result.json'), 'utf8'))).toEqual(result)
    const [made] = result.exports
    expect(made).toMatchObject({ format: 'onnx', proof: { images: 16, same_answer: 16 } })
    expect(existsSync(join(made?.path ?? '', 'model.onnx'))).toBe(true)

    const table = at('answers.csv')
    const predicted = await kestrel(
      [
        'predict',
        join(at('pictures'), 'leaf'),
        '--model',
        made?.path ?? '',
        '--csv',
        table,
        '--sort-into',
        at('sorted'),
      ],
      { env },
    )
    expect(predicted).toMatchObject({ code: 0, stdout: '' })
    const rows = readFileSync(table, 'utf8').split('\r\n').slice(0, -1)
    expect(rows[0]).toBe('\uFEFFfile,label,confidence,unsure,error,leaf,shell')
    expect(rows).toHaveLength(1 + 9)
    const copied = readdirSync(at('sorted')).flatMap((name) => readdirSync(join(at('sorted'), name)))
    expect(copied).toHaveLength(8)

    const own = await kestrel(
      ['predict', join(at('pictures'), 'shell', '01.jpg'), '--model', at('project'), '--json'],
      { env },
    )
    const answer = z
      .object({
        classes: z.array(z.string()),
        pictures: z.array(z.object({ probabilities: z.record(z.string(), z.number()) })),
      })
      .parse(JSON.parse(own.stdout))
    expect(answer.classes).toEqual(['leaf', 'shell'])
    const sum = Object.values(answer.pictures[0]!.probabilities).reduce((a, b) => a + b)
    expect(sum).toBeCloseTo(1, 5)

    writeFileSync(at('text.jpg'), 'not a picture')
    const none = await kestrel(['predict', at('text.jpg'), '--model', at('project'), '--json'], { env })
    expect(none.code).toBe(1)
    expect(JSON.parse(none.stdout)).toMatchObject({ pictures: [{ error: { code: 'not-a-picture' } }] })
    const leaf = join(at('pictures'), 'leaf')
    const into = await kestrel(['predict', leaf, '--model', at('project'), '--sort-into', leaf], { env })
    expect(into).toMatchObject({ code: 1, stdout: '' })
    expect(into.stderr).toContain('lies among the pictures')
  })

  it('predicts with either export, and both answer alike', async () => {
    const { exports } = runResultSchema.parse(
      JSON.parse(readFileSync(join(at('project'), 'result.json'), 'utf8')),
    )
    const answers: Record<string, number>[][] = []
    for (const format of ['onnx', 'tfjs']) {
      const { path } = exports.find((made) => made.format === format)!
      const said = await kestrel(['predict', at('pictures'), '--model', path, '--json'], { env })
      expect(said).toMatchObject({ code: 0, stderr: expect.not.stringContaining('TensorFlow') })
      const { pictures } = saidSchema.parse(JSON.parse(said.stdout))
      answers.push(pictures.flatMap(({ probabilities }) => (probabilities ? [probabilities] : [])))
    }
    const [onnx, tfjs] = answers
    expect(onnx).toHaveLength(16)
    expect(tfjs).toHaveLength(16)
    onnx!.forEach((probabilities, row) => {
      for (const [label, value] of Object.entries(probabilities))
        expect(Math.abs(tfjs![row]![label]! - value)).toBeLessThan(1e-3)
    })

    const { path } = exports.find(({ format }) => format === 'tfjs')!
    cpSync(path, at('cut-off'), { recursive: true })
    const [weights] = readdirSync(at('cut-off')).filter((name) => name.endsWith('.bin'))
    writeFileSync(
      join(at('cut-off'), weights!),
      readFileSync(join(at('cut-off'), weights!)).subarray(0, 1000),
    )
    const cut = await kestrel(['predict', at('pictures'), '--model', at('cut-off')], { env })
    expect(cut).toMatchObject({ code: 1, stdout: '' })
    expect(cut.stderr).toContain('could not be loaded by TensorFlow.js')
  })

  it('counts a picture of a test folder inside the folder once, and tests on it', async () => {
    copySample(at('nested'), ['leaf', 'shell'], 8)
    for (const label of ['leaf', 'shell'])
      for (const name of readdirSync(join(at('nested'), label)).slice(0, 3)) {
        mkdirSync(join(at('nested'), 'hold-out', label), { recursive: true })
        renameSync(join(at('nested'), label, name), join(at('nested'), 'hold-out', label, name))
      }
    writeFileSync(join(at('nested'), 'hold-out', 'leaf', 'broken.jpg'), 'not a picture')
    const args = ['run', at('nested'), '--out', at('nested-project'), '--json']
    const tests = ['--test-folder', join(at('nested'), 'hold-out')]
    // Twice: the second run looks through folders that it knows.
    for (const run of [1, 2]) {
      const { code, stdout } = await kestrel([...args, ...tests], { env })
      expect(code, `run ${run}`).toBe(0)
      const { images, split, classes, metrics } = runResultSchema.parse(JSON.parse(stdout))
      expect(images).toMatchObject({ read: 16, duplicates: 0, skipped: [{ file: 'leaf/broken.jpg' }] })
      expect(classes).toEqual(['leaf', 'shell'])
      expect(split.test).toBe(6)
      expect(split.train + split.val).toBe(10)
      expect(metrics.test?.per_class.map(({ support }) => support)).toEqual([3, 3])
    }
  })

  it('says in words for the command line that a folder has no pictures, or no labels', async () => {
    mkdirSync(at('empty'))
    const empty = await kestrel(['run', at('empty'), '--out', at('empty-project'), '--json'], { env })
    expect(empty.code).toBe(1)
    const words =
      'There are no pictures there. Name a folder with pictures in it; its sub-folders name the labels.'
    expect(empty.stderr).toContain(words)
    expect(errorSchema.parse(JSON.parse(empty.stdout)).error).toMatchObject({
      ...{ code: 'too-few-pictures', message: words },
    })
    mkdirSync(at('texts'))
    writeFileSync(join(at('texts'), 'text.jpg'), 'not a picture')
    const texts = await kestrel(['run', at('texts'), '--out', at('texts-project')], { env })
    expect(texts.code).toBe(1)
    expect(texts.stderr).toMatch(
      /1 file could not be read:\n {2}text\.jpg: .*\nThere are no pictures there\./,
    )
  })

  it('keeps what was read when it is interrupted during the import', async () => {
    copySample(at('many'), ['feather', 'leaf', 'mushroom', 'shell'], 56)
    let sent = false
    const args = ['run', at('many'), '--out', at('many-project')]
    const first = await kestrel(args, {
      env,
      onOutput({ stderr }, kill) {
        if (sent || !stderr.includes('Reading pictures …')) return
        sent = true
        setTimeout(() => kill('SIGINT'), 150)
      },
    })
    expect(first.code).toBe(130)
    expect(first.stderr).toContain('Run the same command again')
    expect(existsSync(join(at('many-project'), 'project.db'))).toBe(true)
    expect(existsSync(join(at('many-project'), 'result.json'))).toBe(false)
  })

  it('refuses a folder that holds something else', async () => {
    const { code, stderr } = await kestrel(['run', at('pictures'), '--out', at('pictures')], { env })
    expect(code).toBe(1)
    expect(stderr).toContain('is not empty')
    const [picture] = readdirSync(join(at('pictures'), 'leaf'))
    const file = join(at('pictures'), 'leaf', picture!)
    const inTheWay = await kestrel(['run', at('pictures'), '--out', file], { env })
    expect(inTheWay.code).toBe(1)
    expect(inTheWay.stderr).toMatch(/a file is in the way.*\n$/)
    if (process.platform === 'linux') {
      // Node's recursive mkdir never comes back from there.
      const nowhere = await kestrel(['run', at('pictures'), '--out', '/proc/nowhere'], { env })
      expect(nowhere.code).toBe(1)
      expect(nowhere.stderr).toMatch(/the system allows no folder there.*\n$/)
    }
    expect(inTheWay.stderr).not.toContain(' at ')
  })

  it('ends with 130 when it is interrupted, keeps what was read and goes on', async () => {
    const args = ['run', at('pictures'), '--out', at('interrupted'), '--recipe', 'scratch', '--json']
    let sent = false
    const first = await kestrel(args, {
      env,
      onOutput({ stderr }, kill) {
        if (sent || !stderr.includes('Training …')) return
        sent = true
        kill('SIGINT')
      },
    })
    expect(first.code).toBe(130)
    expect(first.stderr).toContain('what is finished is kept')
    // Of sixteen pictures an epoch may be over, and with it a model be there, by the time the trainer hears of it.
    const answer: unknown = JSON.parse(first.stdout)
    const withoutModel = errorSchema.safeParse(answer)
    if (withoutModel.success) expect(withoutModel.data.error.code).toBe('stopped')
    else expect(runResultSchema.parse(answer).stopped?.reason).toBe('asked')
    const again = await kestrel(args, { env })
    expect(again.code).toBe(0)
    expect(runResultSchema.parse(JSON.parse(again.stdout)).images.read).toBe(16)
  })
})

describeWithShared('kestrel with a real backbone', ['backbones/mobilenet_v1_0.25_128'], () => {
  const backbone = 'mobilenet_v1_0.25_128'
  const at = (name: string): string => join(folder, name)
  const run = async (...more: string[]) => {
    const { code, stdout, stderr } = await kestrel(
      ['run', at('finds'), '--out', at('finds-project'), '--backbone', backbone, '--json', ...more],
      { env: { ...env, KESTREL_BACKBONES: sharedPath('backbones') } },
    )
    if (code !== 0) throw new Error(stderr)
    return runResultSchema.parse(JSON.parse(stdout))
  }

  it('looks for what has changed when it runs again', async () => {
    copySample(at('finds'), ['feather', 'leaf', 'shell'], 20)
    const first = await run('--folds', '5')
    expect(first).toMatchObject({ backbone, recipe: 'head', images: { read: 60 } })
    expect(first.folds?.accuracy).toHaveLength(5)
    const pooled = first.folds?.pooled.confusion.flat().reduce((a, b) => a + b)
    expect(pooled).toBe(first.split.train + first.split.val)

    // One picture goes to another label, one is new, one is gone.
    renameSync(join(at('finds'), 'leaf', '01.jpg'), join(at('finds'), 'shell', 'from-leaf.jpg'))
    copySample(at('finds'), ['feather'], 21)
    renameSync(join(at('finds'), 'leaf', '02.jpg'), at('put-away.jpg'))
    const second = await run()
    expect(second.images).toEqual({ read: 60, duplicates: 0, skipped: [], conflicts: [] })
    const supports = (result: typeof second) =>
      result.classes.map((_, c) =>
        [result.metrics.val, result.metrics.test].reduce(
          (sum, part) => sum + (part?.per_class[c]?.support ?? 0),
          0,
        ),
      )
    expect(second.split.train + second.split.val + second.split.test).toBe(60)
    expect(supports(second).reduce((a, b) => a + b)).toBe(second.split.val + second.split.test)
    expect(second.folds).toBeUndefined()
  })

  it('gives the same figures for the same seed', async () => {
    const [one, two] = [await run('--seed', '9'), await run('--seed', '9')]
    expect(two.metrics.test?.confusion).toEqual(one.metrics.test?.confusion)
    expect(two.split).toEqual(one.split)
  })

  it('tests on a folder of its own', async () => {
    copySample(at('tests'), ['feather', 'leaf', 'shell'], 30)
    for (const label of ['feather', 'leaf', 'shell'])
      for (const name of readdirSync(join(at('tests'), label))
        .sort()
        .slice(0, 24))
        await rm(join(at('tests'), label, name))
    const { code, stdout } = await kestrel(
      [
        'run',
        at('finds'),
        '--out',
        at('with-tests'),
        '--test-folder',
        at('tests'),
        '--backbone',
        backbone,
        '--json',
      ],
      { env: { ...env, KESTREL_BACKBONES: sharedPath('backbones') } },
    )
    expect(code).toBe(0)
    const result = runResultSchema.parse(JSON.parse(stdout))
    expect(result.split.test).toBe(18)
    expect(result.metrics.test?.per_class.map(({ support }) => support)).toEqual([6, 6, 6])
    expect(result.images.conflicts).toEqual([])
  })

  it('takes a copy of a training picture in the test folder out of the training, and says that the labels contradict', async () => {
    const folders = ['leaf', 'shell', 'feather'].map((label) => ({
      label,
      pictures: join(at('finds'), label),
    }))
    const copies = at('tests-with-a-copy')
    for (const { label } of folders)
      cpSync(join(at('tests'), label), join(copies, label), { recursive: true })
    const [stolen] = readdirSync(folders[0]!.pictures)
    cpSync(join(folders[0]!.pictures, stolen!), join(copies, 'shell', 'copy.jpg'))
    const { code, stdout } = await kestrel(
      ['run', at('finds'), '--out', at('leak'), '--test-folder', copies, '--backbone', backbone, '--json'],
      { env: { ...env, KESTREL_BACKBONES: sharedPath('backbones') } },
    )
    expect(code).toBe(0)
    const result = runResultSchema.parse(JSON.parse(stdout))
    expect(result.split.test).toBe(19)
    expect(result.images.conflicts).toMatchObject([{ file: 'shell/copy.jpg', code: 'duplicate-other-label' }])
  })

  it('writes features as a NumPy array with the list of files', async () => {
    const out = at('features.npy')
    const { code, stdout } = await kestrel(
      ['features', at('tests'), '--backbone', backbone, '--out', out, '--json'],
      { env: { ...env, KESTREL_BACKBONES: sharedPath('backbones') } },
    )
    expect(code).toBe(0)
    const answer = z.object({ shape: z.array(z.int()), files: z.string() }).parse(JSON.parse(stdout))
    expect(answer.shape).toEqual([18, 256])
    expect(readFileSync(answer.files, 'utf8').trim().split('\n')).toHaveLength(18)
    expect(readFileSync(out).length).toBe(128 + 18 * 256 * 4)
  })
})
