import { describe, expect, it } from 'vitest'
import type { FromTrainer, TrainerRequest } from '#shared/contract/trainer.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { RequestContext } from '#trainer/host/context.ts'
import { TrainerHost, type Handlers } from '#trainer/host/host.ts'
import { throttleLatest } from '#trainer/host/throttle.ts'

const image = { id: 1, sha256: 'a', path: '/a.jpg' }
const preprocessing = {
  version: 1,
  size: { width: 8, height: 8 },
  fit: 'stretch',
  filter: 'pillow-bilinear',
  background: [255, 255, 255],
  channelOrder: 'RGB',
  mean: [0, 0, 0],
  divisor: [1, 1, 1],
  jpegScaledDecode: false,
} as const
const features = {
  kind: 'features',
  backbone: { id: 'b', sha256: 'b', onnxPath: '/b.onnx', featureLength: 2, preprocessing },
  images: [image],
  cacheDir: '/cache',
  returnFeatures: false,
} as const
const featuresResult = {
  kind: 'features',
  cached: 0,
  computed: 1,
  failed: [],
  features: null,
  seconds: 0,
} as const
const hello = { kind: 'hello', engines: [], versions: {}, cores: 1 } as const

/** A host whose work is driven by hand, and everything it sent. */
function driven(overrides: Partial<Handlers> = {}) {
  const sent: FromTrainer[] = []
  const unexpected = (request: TrainerRequest): Promise<never> => Promise.reject(new Error(request.kind))
  const handlers: Handlers = {
    hello: () => Promise.resolve({ ...hello, engines: [] }),
    'prepare-backbone': unexpected,
    features: unexpected,
    train: unexpected,
    distill: unexpected,
    measure: unexpected,
    predict: unexpected,
    export: unexpected,
    ...overrides,
  }
  const host = new TrainerHost(handlers, (message) => sent.push(message))
  const settle = () => new Promise((resolve) => setTimeout(resolve, 5))
  return {
    host,
    sent,
    settle,
    of: (type: FromTrainer['type']) => sent.filter((message) => message.type === type),
  }
}
const ask = (id: string, request: object) => ({ type: 'request', id, request })

describe('TrainerHost', () => {
  it('answers a request once', async () => {
    const { host, sent, settle } = driven()
    host.receive(ask('1', { kind: 'hello' }))
    await settle()
    expect(sent).toEqual([{ type: 'result', id: '1', result: { ...hello, engines: [] } }])
  })

  it.each([
    ['nonsense', 'hello?'],
    ['no id', { type: 'request', request: { kind: 'hello' } }],
    ['an unknown request', ask('9', { kind: 'format-disk' })],
    ['wrong arguments', ask('9', { ...features, images: 'all' })],
  ])('refuses %s without falling over', async (_name, message) => {
    const { host, of, settle } = driven()
    host.receive(message)
    host.receive(ask('1', { kind: 'hello' }))
    await settle()
    expect(of('result')).toHaveLength(1)
    expect(of('log')).toHaveLength(1)
    for (const error of of('error')) expect(error).toMatchObject({ id: '9', error: { code: 'bad-request' } })
  })

  it('sends the code and words of an error, and keeps its cause for the log', async () => {
    const cause = new Error('inner secret')
    const { host, of, settle } = driven({
      hello: () => Promise.reject(new KestrelError('no-backbone', 'None.', { cause })),
    })
    host.receive(ask('1', { kind: 'hello' }))
    await settle()
    expect(of('error')).toEqual([
      { type: 'error', id: '1', error: { code: 'no-backbone', message: 'None.' } },
    ])
    expect(JSON.stringify(of('log'))).toContain('inner secret')
  })

  it('runs heavy work one after the other and light work at once', async () => {
    const order: string[] = []
    let release = (): void => undefined
    const { host, of, settle } = driven({
      features: async () => {
        order.push('begin')
        await new Promise<void>((resolve) => (release = resolve))
        order.push('end')
        return { ...featuresResult, failed: [] }
      },
    })
    host.receive(ask('1', features))
    host.receive(ask('2', features))
    host.receive(ask('3', { kind: 'hello' }))
    await settle()
    expect(order).toEqual(['begin'])
    expect(of('result').map((message) => 'id' in message && message.id)).toEqual(['3'])
    release()
    await settle()
    release()
    await settle()
    expect(order).toEqual(['begin', 'end', 'begin', 'end'])
  })

  it('tells running work to stop, and does not begin what was stopped while waiting', async () => {
    const seen: (string | null)[] = []
    const { host, of, settle } = driven({
      features: (_request, { stop }: RequestContext) =>
        new Promise((_resolve, reject) => {
          stop.onAsked(() => {
            seen.push(stop.asked)
            if (stop.asked === 'drop') reject(new KestrelError('stopped', 'Stopped.'))
          })
        }),
    })
    host.receive(ask('1', features))
    host.receive(ask('2', features))
    await settle()
    host.receive({ type: 'stop', id: '2', keep: false })
    host.receive({ type: 'stop', id: '1', keep: true })
    host.receive({ type: 'stop', id: '1', keep: false })
    host.receive({ type: 'stop', id: 'nobody', keep: false })
    await settle()
    expect(seen).toEqual(['keep', 'drop'])
    expect(of('error').map((message) => 'id' in message && message.id)).toEqual(['1', '2'])
  })

  it('throttles progress but loses neither the first nor the last, and sends every step of the curve', async () => {
    const { host, of, settle } = driven({
      features: (_request, context) => {
        for (let done = 0; done <= 1000; done++) context.progress('features', done, 1000, 5)
        for (let step = 1; step <= 500; step++)
          context.metric({ step, trainLoss: 1, trainAccuracy: null, valLoss: null, valAccuracy: null })
        return Promise.resolve({ ...featuresResult, failed: [] })
      },
    })
    host.receive(ask('1', features))
    await settle()
    const done = of('progress').map((message) => message.type === 'progress' && message.done)
    expect(done[0]).toBe(0)
    expect(done.at(-1)).toBe(1000)
    expect(done.length).toBeLessThan(100)
    const steps = of('metric').map((message) => message.type === 'metric' && message.metric.step)
    expect(steps).toEqual(Array.from({ length: 500 }, (_, index) => index + 1))
  })

  it('ends every open request when the process breaks, and each only once', async () => {
    let release = (): void => undefined
    const { host, of, settle } = driven({
      features: async () => {
        await new Promise<void>((resolve) => (release = resolve))
        return { ...featuresResult, failed: [] }
      },
    })
    host.receive(ask('1', features))
    host.receive(ask('2', features))
    await settle()
    host.failAll(new KestrelError('training-crashed', 'Broken.'))
    release()
    await settle()
    expect(of('error').map((message) => 'id' in message && message.id)).toEqual(['1', '2'])
    expect(of('result')).toEqual([])
  })
})

describe('throttleLatest', () => {
  it('passes the first on, holds back what comes too soon, and flushes the newest', () => {
    let now = 0
    const sent: number[] = []
    const throttled = throttleLatest<number>(
      (value) => sent.push(value),
      100,
      () => now,
    )
    for (const [at, value] of [
      [0, 1],
      [10, 2],
      [99, 3],
      [100, 4],
      [150, 5],
    ] as const) {
      now = at
      throttled(value)
    }
    expect(sent).toEqual([1, 4])
    throttled.flush()
    throttled.flush()
    expect(sent).toEqual([1, 4, 5])
  })
})
