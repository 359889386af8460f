import { availableParallelism } from 'node:os'
import type { Engine } from '#trainer/engines/engine.ts'
import { bestOnnxEngine } from '#trainer/engines/onnx/engine.ts'
import { probeCpu } from '#trainer/engines/onnx/probe.ts'
import { backboneOf } from '#trainer/models/backbone.ts'
import { readModel } from '#trainer/models/source.ts'
import { memoryOf } from './memory.ts'
import { Peer, peerPython } from './peers/python.ts'
import { mobileNet, smallCnn, type Job } from './training-jobs.ts'
import type { Bench, BenchContext, BenchResult } from './types.ts'

/**
 * Training steps beside Keras and PyTorch doing the same, turn about, so that all see the same machine. First with all
 * cores, by the clock; then with one thread, in processor time, which hardly depends on what else the machine does.
 */
const group = 'Training'
const ROUNDS = 7
const STEPS = 6
const PEERS = ['keras', 'torch'] as const
type PeerName = (typeof PEERS)[number]

interface Work {
  id: string
  name: string
  open: (engine: Engine) => Promise<Job>
  /** How many times as fast as a peer at least. */
  targets: Partial<Record<PeerName, number>>
  /** Another job of Keras that this one stands in for, and how many times as fast it is at least. */
  insteadOf?: { id: string; words: string; atLeast: number }
}

/** Milliseconds of a step: by the clock, and of the processor over all threads. */
type Cost = readonly [wall: number, cpu: number]

const peerTitles: Record<PeerName, string> = { keras: 'Keras', torch: 'PyTorch, channels last' }

async function cost(job: Job): Promise<Cost> {
  const before = process.cpuUsage()
  const began = performance.now()
  await job.step()
  const wall = performance.now() - began
  const { user, system } = process.cpuUsage(before)
  return [wall, (user + system) / 1000]
}

const least = (costs: readonly Cost[], of: 0 | 1): number => Math.min(...costs.map((each) => each[of]))

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
}

/** Per round the least cost of a step, for us and for each peer that is there. */
interface Rounds {
  batch: number
  ours: number[]
  peers: Map<PeerName, number[]>
  /** Of the job of Keras that this one stands in for. */
  insteadOf: number[]
  /** Of each process after the steps, MB. */
  memory: { ours: number | null; peers: Map<PeerName, number | null> }
}

async function measure(
  work: Work,
  engine: Engine,
  peers: ReadonlyMap<PeerName, Peer>,
  of: 0 | 1,
): Promise<Rounds> {
  const job = await work.open(engine)
  const rounds: Rounds = {
    batch: job.batch,
    ours: [],
    peers: new Map(),
    insteadOf: [],
    memory: { ours: null, peers: new Map() },
  }
  for (let i = 0; i < 3; i++) await job.step()
  for (let round = 0; round < ROUNDS; round++) {
    const costs: Cost[] = []
    for (let i = 0; i < STEPS; i++) costs.push(await cost(job))
    rounds.ours.push(least(costs, of))
    for (const [name, peer] of peers) {
      const theirs = (await peer.ask(`${work.id} ${STEPS}`)) as Cost[]
      rounds.peers.set(name, [...(rounds.peers.get(name) ?? []), least(theirs, of)])
    }
    const keras = peers.get('keras')
    if (work.insteadOf && keras) {
      const theirs = (await keras.ask(`${work.insteadOf.id} ${STEPS}`)) as Cost[]
      rounds.insteadOf.push(least(theirs, of))
    }
  }
  rounds.memory.ours = await memoryOf(process.pid)
  for (const [name, peer] of peers) rounds.memory.peers.set(name, await memoryOf(peer.pid))
  await job.dispose()
  return rounds
}

function results(work: Work, all: Rounds, one: Rounds): BenchResult[] {
  const { batch } = all
  const perSecond = (milliseconds: readonly number[]): number => (1000 * batch) / Math.min(...milliseconds)
  const note = `batch of ${batch}, best of ${ROUNDS} rounds of ${STEPS} steps turn about`
  const rows: BenchResult[] = [
    { group, name: work.name, value: perSecond(all.ours), unit: 'img/s', note },
    {
      group,
      name: `${work.name}: one thread, by processor time`,
      value: perSecond(one.ours),
      unit: 'img/s',
      note: 'not disturbed by what else the machine does',
    },
  ]
  for (const peer of all.peers.keys()) {
    const target = work.targets[peer]
    const times = (rounds: Rounds): number =>
      median(rounds.peers.get(peer)!.map((theirs, round) => theirs / rounds.ours[round]!))
    const reference = (rounds: Rounds) => ({
      name: peerTitles[peer],
      value: perSecond(rounds.peers.get(peer)!),
      unit: 'img/s',
    })
    rows.push(
      {
        group,
        name: `${work.name}: times ${peerTitles[peer]}`,
        value: times(all),
        unit: '',
        ...(target === undefined ? {} : { target: { atLeast: target } }),
        reference: reference(all),
        note: `median of ${ROUNDS} rounds`,
      },
      {
        group,
        name: `${work.name}: times ${peerTitles[peer]}, one thread`,
        value: times(one),
        unit: '',
        reference: reference(one),
        note: 'processor time',
      },
    )
  }
  if (work.insteadOf && all.insteadOf.length > 0)
    rows.push({
      group,
      name: `${work.name}: times Keras, ${work.insteadOf.words}`,
      value: median(all.insteadOf.map((theirs, round) => theirs / all.ours[round]!)),
      unit: '',
      target: { atLeast: work.insteadOf.atLeast },
      reference: { name: `Keras, ${work.insteadOf.words}`, value: perSecond(all.insteadOf), unit: 'img/s' },
      note: `median of ${ROUNDS} rounds`,
    })
  return rows
}

async function works(context: BenchContext): Promise<Work[]> {
  const file = context.shared('backbones/mobilenet_v2_1.0_224/model.h5')
  const features = file === null ? null : backboneOf(await readModel(file)).graph
  return [
    { id: 'small-cnn', name: 'Small CNN, 64 px', open: smallCnn, targets: { keras: 1, torch: 0.9 } },
    ...(features === null
      ? []
      : [
          {
            id: 'mobilenet',
            name: 'MobileNetV2 blocks 12–16 and head, trunk computed',
            open: (engine: Engine) => mobileNet(engine, features, { cached: false }),
            targets: { keras: 1.2, torch: 1 },
          },
          {
            id: 'mobilenet-cached',
            name: 'MobileNetV2 blocks 12–16 and head, trunk cached',
            open: (engine: Engine) => mobileNet(engine, features, { cached: true }),
            targets: {},
            // What the person waits for otherwise. Keras with a cache of its own is in the rows above.
            insteadOf: { id: 'mobilenet', words: 'which computes the trunk', atLeast: 1.9 },
          },
        ]),
  ]
}

/** One peer per framework; none where they cannot be had. */
async function startPeers(python: string | null, threads: number): Promise<Map<PeerName, Peer>> {
  const peers = new Map<PeerName, Peer>()
  if (python === null) return peers
  for (const name of PEERS) peers.set(name, await Peer.start(python, 'training.py', [name, `${threads}`]))
  return peers
}

const onOneThread = (engine: Engine): Engine => ({
  ...engine,
  open: (graph, options) => engine.open(graph, { ...options, threads: 1 }),
})

export const run: Bench = async (context) => {
  const python = peerPython(['keras', 'tensorflow', 'torch'], context.say)
  const engine = await bestOnnxEngine()
  context.say((await probeCpu()).reason)
  const jobs = await works(context)
  const passes = [
    { threads: availableParallelism(), engine, of: 0 },
    { threads: 1, engine: onOneThread(engine), of: 1 },
  ] as const
  const measured: Rounds[][] = []
  for (const pass of passes) {
    const peers = await startPeers(python, pass.threads)
    const rounds: Rounds[] = []
    for (const work of jobs) {
      context.say(`${work.name}, ${pass.threads === 1 ? 'one thread' : `${pass.threads} threads`}`)
      rounds.push(await measure(work, pass.engine, peers, pass.of))
    }
    measured.push(rounds)
    for (const peer of peers.values()) peer.close()
  }
  const rows = jobs.flatMap((work, at) => results(work, measured[0]![at]!, measured[1]![at]!))
  const at = jobs.findIndex(({ id }) => id === 'mobilenet')
  return at < 0 ? rows : [...rows, ...memoryRow(measured[0]![at]!)]
}

function memoryRow({ memory }: Rounds): BenchResult[] {
  const keras = memory.peers.get('keras') ?? null
  const pytorch = memory.peers.get('torch') ?? null
  if (memory.ours === null) return []
  return [
    {
      group,
      name: 'Memory of the process, MobileNetV2 with its trunk, batch of 16',
      value: memory.ours,
      unit: 'MB',
      target: { atMost: 1500 },
      ...(keras === null ? {} : { reference: { name: 'Keras', value: keras, unit: 'MB' } }),
      note: `${pytorch === null ? '' : `PyTorch: ${pytorch.toFixed(0)} MB; `}after the steps; the processes hold what else they measured, too`,
    },
  ]
}
