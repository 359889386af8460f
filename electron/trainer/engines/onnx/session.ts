import { availableParallelism } from 'node:os'
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import { KestrelError } from '#shared/errors/index.ts'
import type { DataType, Tensor } from '../../graph/types.ts'

/**
 * The one place that creates onnxruntime sessions. `run` blocks the calling JavaScript thread while the network
 * computes (the binding has no asynchronous run), so long work belongs in a worker thread or a process of its own.
 */
export interface OnnxSessionOptions {
  /** Threads inside one operator. Default: all cores. */
  threads?: number
  /**
   * Whether idle threads of the runtime burn their core waiting for the next operator. A little faster when nothing
   * else runs, and several times slower when anything else wants a core (decoding, another run, the window): off
   * unless asked for.
   */
  spinning?: boolean
  /** `all` includes the CPU layout for constant convolutions; training graphs do better with `extended`. */
  optimisation?: 'disabled' | 'basic' | 'extended' | 'all'
}

export interface OnnxValueInfo {
  name: string
  type: string
  /** Sizes, or the name of a size that is free. */
  shape: readonly (number | string)[]
}

export class OnnxSession {
  readonly inputs: readonly OnnxValueInfo[]
  readonly outputs: readonly OnnxValueInfo[]
  private session: InferenceSession | null

  private constructor(session: InferenceSession) {
    this.session = session
    this.inputs = session.inputMetadata.map(valueInfo)
    this.outputs = session.outputMetadata.map(valueInfo)
  }

  /**
   * @param model path of an `.onnx` file, or its bytes.
   * @throws KestrelError `model-unreadable` when the runtime refuses it.
   */
  static async open(model: string | Uint8Array, options: OnnxSessionOptions = {}): Promise<OnnxSession> {
    const threads = options.threads ?? availableParallelism()
    const spinning = options.spinning ?? false
    const settings: InferenceSession.SessionOptions = {
      executionProviders: ['cpu'],
      executionMode: 'sequential',
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: options.optimisation ?? 'all',
      // Warnings of the runtime are for its developers; errors come as exceptions.
      logSeverityLevel: 3,
      extra: { session: { intra_op: { allow_spinning: spinning ? '1' : '0' } } },
    }
    try {
      const session =
        typeof model === 'string'
          ? await InferenceSession.create(model, settings)
          : await InferenceSession.create(model, settings)
      return new OnnxSession(session)
    } catch (error) {
      throw new KestrelError('model-unreadable', 'The network could not be loaded by ONNX Runtime.', {
        remedy: 'Choose another backbone, or train the model again.',
        cause: error,
      })
    }
  }

  /**
   * Feeds are read in place, never copied. The arrays of `into` (output name → array of the right length) receive
   * those outputs in place; the other wanted outputs come in arrays of their own.
   */
  async run(
    feeds: Readonly<Record<string, Tensor>>,
    wanted: readonly string[] | Readonly<Record<string, Tensor | null>> = this.outputs.map(
      ({ name }) => name,
    ),
  ): Promise<Record<string, Tensor>> {
    if (!this.session) throw new KestrelError('internal', 'A network was used after it had been closed.')
    const inputs: Record<string, OrtTensor> = {}
    for (const [name, value] of Object.entries(feeds)) inputs[name] = toOrt(value)
    const results = isNames(wanted)
      ? await this.session.run(inputs, wanted)
      : await this.session.run(
          inputs,
          Object.fromEntries(Object.entries(wanted).map(([name, value]) => [name, value && toOrt(value)])),
        )
    return Object.fromEntries(
      Object.entries(results).map(([name, value]) => [name, fromOrt(value as OrtTensor)]),
    )
  }

  /** Frees the network's memory. Safe to call twice. */
  async dispose(): Promise<void> {
    const session = this.session
    this.session = null
    await session?.release()
  }
}

const isNames = (wanted: readonly string[] | object): wanted is readonly string[] => Array.isArray(wanted)

function valueInfo(info: InferenceSession.ValueMetadata): OnnxValueInfo {
  return info.isTensor
    ? { name: info.name, type: info.type, shape: info.shape }
    : { name: info.name, type: 'not-a-tensor', shape: [] }
}

function toOrt(value: Tensor): OrtTensor {
  switch (value.type) {
    case 'bfloat16':
      throw new KestrelError('operator-unsupported', 'bfloat16 values cannot be given to ONNX Runtime.')
    case 'string':
      return new OrtTensor('string', value.data, value.shape)
    case 'float16': {
      const given = new OrtTensor('float16', value.data, value.shape)
      // Where JavaScript has a Float16Array the package makes one of the bits, which its own native half (1.30) takes
      // for an empty array.
      return Object.defineProperty(given, 'data', { value: value.data })
    }
    default:
      return new OrtTensor(value.type, value.data, value.shape)
  }
}

function fromOrt(value: OrtTensor): Tensor {
  if (value.type === 'float16') {
    const { buffer, byteOffset, length } = value.data as Uint16Array
    return { type: 'float16', shape: value.dims, data: new Uint16Array(buffer, byteOffset, length) }
  }
  return { type: value.type as DataType, shape: value.dims, data: value.data } as Tensor
}
