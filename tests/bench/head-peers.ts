import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { fitHead } from '#trainer/head/fit.ts'
import { outOfFold } from '#trainer/head/folds.ts'
import { minimise } from '#trainer/head/lbfgs.ts'
import { checking, choosing, fitOne, settled, type Precision } from '#trainer/head/path.ts'
import { HeadProblem } from '#trainer/head/problem.ts'
import type { HeadData } from './head-features.ts'
import { Peer, peerPython } from './peers/python.ts'
import type { BenchContext, BenchResult } from './types.ts'

const group = 'Head'
const ROUNDS = 4
/** L2 per picture: what is chosen for such features. */
const STRENGTH = 0.003
const GAP = 1e-3
const FOLDS = 10

interface Figures {
  wall: number
  /** Over all threads: says what the clock would on a machine where nothing else runs, times the cores that were used. */
  cpu: number
  evaluations?: number
}
const figuresSchema = z.object({
  wall: z.number(),
  cpu: z.number(),
  evaluations: z.number().optional(),
})

async function timed(work: () => Promise<number | void>): Promise<Figures> {
  const used = process.cpuUsage()
  const began = performance.now()
  const evaluations = await work()
  const wall = performance.now() - began
  const { user, system } = process.cpuUsage(used)
  return { wall, cpu: (user + system) / 1000, ...(typeof evaluations === 'number' ? { evaluations } : {}) }
}

/** What each way takes; the least of all rounds, which other work disturbs least. */
class Table {
  private readonly found = new Map<string, Figures>()

  add(name: string, { wall, cpu, evaluations }: Figures): void {
    const before = this.found.get(name)
    this.found.set(name, {
      wall: Math.min(wall, before?.wall ?? Infinity),
      cpu: Math.min(cpu, before?.cpu ?? Infinity),
      evaluations,
    })
  }

  of(name: string): Figures | null {
    return this.found.get(name) ?? null
  }
}

/** The jobs of Kestrel, on features that are there. */
class OwnJobs {
  private readonly data: HeadData
  private readonly start: Float64Array

  constructor(data: HeadData) {
    this.data = data
    this.start = new Float64Array(data.classes * (data.features + 1))
  }

  open(): Promise<HeadProblem> {
    const { x, labels, features, classes } = this.data
    return HeadProblem.open(x, labels, features, classes)
  }

  async fit(problem: HeadProblem, precision: Precision, start = this.start): Promise<Float64Array> {
    const cut = { fit: problem.rowSet(() => true), judge: problem.rowSet(() => false) }
    return (await fitOne(problem, cut, STRENGTH, start, { precision })).point
  }

  /** The smallest value there is. */
  async optimum(problem: HeadProblem): Promise<number> {
    const all = problem.rowSet(() => true)
    const result = await minimise((point) => problem.evaluate(point, all, STRENGTH), this.start, {
      relativeDecrease: 1e-8,
      patience: 2,
    })
    return result.value
  }

  /** From features to within the gap, everything included. @returns evaluations */
  async cold(optimum: number): Promise<number> {
    const problem = await this.open()
    try {
      const all = problem.rowSet(() => true)
      const result = await minimise((point) => problem.evaluate(point, all, STRENGTH), this.start, {
        relativeDecrease: 0,
        onIteration: (_iteration, { value }) => value > optimum * (1 + GAP),
      })
      return result.evaluations
    } finally {
      await problem.dispose()
    }
  }

  async answers(problem: HeadProblem, point: Float64Array): Promise<Int32Array> {
    return topClasses(await problem.probabilities(point, this.data.x), this.data.classes)
  }

  /** @returns share of the rows that are answered right */
  async folds(problem: HeadProblem, grid?: readonly number[]): Promise<number> {
    const { x, labels, classes } = this.data
    const keys = Array.from(labels, (_, row) => `row ${row}`)
    const found = (await outOfFold({
      ...{ problem, x, labels, keys, groups: keys, seed: 1, k: FOLDS },
      ...(grid && { grid }),
    }))!
    const answers = topClasses(found.probabilities, classes)
    return answers.filter((answer, row) => answer === labels[row]).length / labels.length
  }
}

function topClasses(probabilities: Float32Array, classes: number): Int32Array {
  return Int32Array.from({ length: probabilities.length / classes }, (_, row) => {
    const of = probabilities.subarray(row * classes, (row + 1) * classes)
    return of.indexOf(Math.max(...of))
  })
}

const alike = (a: Int32Array, b: Int32Array): number =>
  a.filter((answer, row) => answer === b[row]).length / a.length

/** Cold, after a changed label, and in folds, turn about with PyTorch and scikit-learn where there is a Python that has them. */
export async function headBesidePeers(data: HeadData, context: BenchContext): Promise<BenchResult[]> {
  const peer = await startPeer(data, context)
  const own = new OwnJobs(data)
  const problem = await own.open()
  const table = new Table()
  const ask = async (name: string, job: object): Promise<void> => {
    if (peer) table.add(name, figuresSchema.parse(await peer.ask(JSON.stringify(job))))
  }
  const optimum = await own.optimum(problem)
  const before = await own.fit(problem, settled)
  const row = 611
  const label = (data.labels[row]! + 1) % data.classes
  const job = { strength: STRENGTH, optimum, gap: GAP, row, label, folds: FOLDS }

  problem.relabel(row, label)
  const cold = await own.answers(problem, await own.fit(problem, settled))
  let [usable, done]: (Float64Array | null)[] = [null, null]
  for (let round = 0; round < ROUNDS; round++) {
    context.say(`round ${round + 1} of ${ROUNDS}`)
    table.add('cold', await timed(() => own.cold(optimum)))
    await ask('torch', { ...job, job: 'torch' })
    if (round < 2) await ask('sklearn', { ...job, job: 'sklearn' })
    const refit = (precision: Precision) => async (): Promise<void> => {
      problem.relabel(row, label)
      const point = await own.fit(problem, precision, before)
      if (precision === choosing) usable = point
      else done = point
    }
    table.add('usable', await timed(refit(choosing)))
    table.add('settled', await timed(refit(checking)))
    if (round < 2) await ask('sklearn-warm', { ...job, job: 'sklearn-warm' })
  }
  problem.relabel(row, data.labels[row]!)
  const accuracies: number[] = []
  for (let round = 0; round < 2; round++) {
    context.say(`${FOLDS} folds, round ${round + 1} of 2`)
    const folds = (grid?: readonly number[]) => async (): Promise<void> => {
      accuracies.push(await own.folds(problem, grid))
    }
    table.add('folds', await timed(folds()))
    table.add('folds at one strength', await timed(folds([STRENGTH])))
    await ask('sklearn folds', { ...job, job: 'folds' })
  }
  const choice = await timed(() => chooseAgain(problem, data))
  await problem.dispose()
  peer?.close()
  const same = {
    usable: alike(await answersOf(own, usable!), cold),
    settled: alike(await answersOf(own, done!), cold),
  }
  return rows(table, { data, same, accuracy: accuracies[0]!, choice })
}

/** Of a problem opened anew, because the other one has been closed. */
async function answersOf(own: OwnJobs, point: Float64Array): Promise<Int32Array> {
  const problem = await own.open()
  try {
    return await own.answers(problem, point)
  } finally {
    await problem.dispose()
  }
}

/** The whole choice of a strength and both fits, as a training does it from the beginning. */
async function chooseAgain(problem: HeadProblem, { labels }: HeadData): Promise<void> {
  await fitHead({
    problem,
    labels,
    validation: Array.from(labels, (_, row) => row % 6 === 5),
    groups: Array.from(labels, (_, row) => `row ${row}`),
    seed: 1,
  })
}

async function startPeer(data: HeadData, context: BenchContext): Promise<Peer | null> {
  const python = peerPython(['sklearn', 'torch'], context.say)
  if (python === null) return null
  const folder = await context.temporary()
  const [x, labels] = [join(folder, 'x.bin'), join(folder, 'labels.bin')]
  writeFileSync(x, data.x)
  writeFileSync(labels, data.labels)
  const peer = Peer.open(python, 'head.py', [`${availableParallelism()}`])
  const shape = { rows: data.labels.length, features: data.features, classes: data.classes }
  context.say(JSON.stringify(await peer.ask(JSON.stringify({ x, labels, ...shape }))))
  return peer
}

interface Found {
  data: HeadData
  /** Shares of the answers that are those of a cold fit. */
  same: { usable: number; settled: number }
  accuracy: number
  choice: Figures
}

function rows(table: Table, { data, same, accuracy, choice }: Found): BenchResult[] {
  const cpu = (name: string): string =>
    table.of(name) ? `${name} ${Math.round(table.of(name)!.cpu)} ms of processor time` : ''
  const note = (...parts: string[]): string =>
    [...parts, data.origin, `L2 ${STRENGTH} per picture`].filter((part) => part !== '').join('; ')
  const beside = (name: string, words: string): Pick<BenchResult, 'reference'> => {
    const found = table.of(name)
    return found ? { reference: { name: words, value: found.wall, unit: 'ms' } } : {}
  }
  const ratio = (name: string, peer: string, mine: string, target?: BenchResult['target']): BenchResult[] => {
    const [theirs, ours] = [table.of(peer), table.of(mine)]
    if (!theirs || !ours) return []
    const share = (theirs.cpu / ours.cpu).toFixed(2)
    return [
      {
        group,
        name,
        value: theirs.wall / ours.wall,
        unit: '×',
        target,
        note: `in processor time × ${share}`,
      },
    ]
  }
  const { wall, evaluations } = table.of('cold')!
  const coldName = `Softmax head 10,000 × ${data.features} × ${data.classes}, cold to within ${GAP} of the optimum`
  return [
    {
      group,
      name: coldName,
      value: wall,
      unit: 'ms',
      ...beside('torch', 'PyTorch L-BFGS'),
      note: note(
        `${evaluations} evaluations, PyTorch ${table.of('torch')?.evaluations ?? '–'}`,
        cpu('cold'),
        cpu('torch'),
        cpu('sklearn'),
      ),
    },
    ...ratio('… times as fast as PyTorch L-BFGS', 'torch', 'cold', { atLeast: 1 }),
    ...ratio('… times as fast as scikit-learn', 'sklearn', 'cold', { atLeast: 5 }),
    {
      group,
      name: 'One label of 10,000 changed: a usable model',
      value: table.of('usable')!.wall,
      unit: 'ms',
      target: { atMost: 100 },
      ...beside('sklearn-warm', 'scikit-learn, warm start'),
      note: note(`${(100 * same.usable).toFixed(2)} % answered as by a cold fit`, cpu('usable')),
    },
    {
      group,
      name: 'One label of 10,000 changed: settled',
      value: table.of('settled')!.wall,
      unit: 'ms',
      target: { atMost: 400 },
      ...beside('sklearn-warm', 'scikit-learn, warm start'),
      note: note(cpu('settled'), cpu('sklearn-warm')),
    },
    {
      group,
      name: '… share of the pictures answered as by a cold fit',
      value: same.settled,
      unit: '',
      target: { atLeast: 0.999 },
    },
    ...ratio('… times as fast as scikit-learn from a warm start', 'sklearn-warm', 'settled'),
    {
      group,
      name: `${FOLDS} folds of 10,000 pictures, the strength chosen for each`,
      value: table.of('folds')!.wall / 1000,
      unit: 's',
      target: { atMost: 5 },
      note: note(`${(100 * accuracy).toFixed(1)} % right`, cpu('folds')),
    },
    {
      group,
      name: `${FOLDS} folds of 10,000 pictures at one strength`,
      value: table.of('folds at one strength')!.wall / 1000,
      unit: 's',
      target: { atMost: 5 },
      ...(table.of('sklearn folds')
        ? {
            reference: {
              name: 'scikit-learn cross_val_predict',
              value: table.of('sklearn folds')!.wall / 1000,
              unit: 's',
            },
          }
        : {}),
      note: note(cpu('folds at one strength'), cpu('sklearn folds')),
    },
    ...ratio('… times as fast as cross_val_predict', 'sklearn folds', 'folds at one strength'),
    {
      group,
      name: '10,000 pictures: strength chosen and final fit, cold',
      value: choice.wall,
      unit: 'ms',
      note: note(`${Math.round(choice.cpu)} ms of processor time`),
    },
  ]
}
