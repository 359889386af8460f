import { KestrelError } from '#shared/errors/index.ts'
import { int64s, scalar, tensor } from '../../graph/tensor.ts'
import { int } from '../../graph/types.ts'
import { add } from '../layers/composites.ts'
import { conv } from '../layers/convolution.ts'
import { dense } from '../layers/dense.ts'
import { NetworkWriter, type Flow } from '../layers/network-writer.ts'
import { layerNorm } from '../layers/normalisation.ts'
import type { Network } from '../network.ts'
import type { ArchitectureOptions } from './options.ts'
import { feedForward, linear, narrow, turn } from './tokens.ts'

interface VitShape {
  /** Pixels of a patch, width and height. */
  patch: number
  width: number
  depth: number
  heads: number
}

/** The smallest of Touvron et al. 2021 (DeiT-Ti), table 1. */
const tiny: VitShape = { patch: 16, width: 192, depth: 12, heads: 3 }

/** Patches become tokens, a learned one is put in front, and each gets a learned vector for its place. */
function embed(w: NetworkWriter, picture: Flow, { patch, width }: VitShape): Flow {
  const patches = conv(w, picture, 'patches', {
    filters: width,
    size: patch,
    stride: patch,
    padding: 'valid',
    bias: true,
    initialiser: narrow,
  })
  const count = (patches.shape[1] ?? 1) * (patches.shape[2] ?? 1)
  const flat = w.builder.constant('patches/shape', int64s([0, width, count]))
  const rows = w.op('patches/flat', 'Reshape', [patches.value, flat], [width, count])
  const tokens = turn(w, rows, 'patches/tokens', [2, 1])
  // An empty row in front, to which the token is added: a Concat would need the token as often as there are pictures.
  const inFront = w.builder.constant('token/in_front', int64s([0, 1, 0, 0, 0, 0]))
  const behind = w.builder.constant('token/behind', int64s([0, 0, 0, 0, count, 0]))
  const padded = w.op('patches/padded', 'Pad', [tokens.value, inFront], [count + 1, width])
  const token = w.normal('token', [1, 1, width], 'embedding', 0.02)
  const places = w.normal('places', [1, count + 1, width], 'embedding', 0.02)
  const alone = w.op('token/padded', 'Pad', [token, behind], padded.shape)
  const embedding = w.op('embedding', 'Add', [alone.value, places], padded.shape)
  return w.op('embedded', 'Add', [padded.value, embedding.value], padded.shape)
}

/** Vaswani et al. 2017, section 3.2.2: softmax(Q Kᵀ / √d) V in each head, on `[tokens, width]`. */
function attention(w: NetworkWriter, x: Flow, name: string, heads: number): Flow {
  const [tokens = 1, width = 1] = x.shape
  const each = width / heads
  const all = linear(w, x, `${name}/qkv`, 3 * width)
  const parts = w.builder.nodes(
    'Split',
    [all.value],
    3,
    { axis: int(2), num_outputs: int(3) },
    { wanted: name },
  )
  const split = w.builder.constant(`${name}/heads`, int64s([0, tokens, heads, each]))
  const [query, key, value] = parts.map((part, index) => {
    const title = `${name}/${['query', 'key', 'value'][index]}`
    const divided = w.op(`${title}/divided`, 'Reshape', [part, split], [tokens, heads, each])
    return turn(w, divided, title, index === 1 ? [2, 3, 1] : [2, 1, 3])
  }) as [Flow, Flow, Flow]
  const scale = w.builder.constant(`${name}/scale`, scalar(1 / Math.sqrt(each)))
  const square = [heads, tokens, tokens]
  const scaled = w.op(`${name}/scaled`, 'Mul', [query.value, scale], query.shape)
  const products = w.op(`${name}/products`, 'MatMul', [scaled.value, key.value], square)
  const weights = w.op(`${name}/weights`, 'Softmax', [products.value], square, { axis: int(-1) })
  const seen = w.op(`${name}/seen`, 'MatMul', [weights.value, value.value], value.shape)
  const together = w.builder.constant(`${name}/together`, int64s([0, tokens, width]))
  const turned = turn(w, seen, `${name}/turned`, [2, 1, 3])
  const joined = w.op(`${name}/joined`, 'Reshape', [turned.value, together], x.shape)
  return linear(w, joined, `${name}/project`, width)
}

/** Dosovitskiy et al. 2021, figure 1: attention and a feed-forward network, each normalised before and added after. */
function encoder(w: NetworkWriter, x: Flow, name: string, heads: number): Flow {
  w.startBlock()
  const seen = attention(w, layerNorm(w, x, `${name}/norm_1`), `${name}/attention`, heads)
  const attended = add(w, x, seen, `${name}/add_1`)
  const made = feedForward(w, layerNorm(w, attended, `${name}/norm_2`), `${name}/mlp`)
  return add(w, attended, made, `${name}/add_2`)
}

/**
 * ViT-Ti/16 (Dosovitskiy et al. 2021).
 * @throws KestrelError `bad-request` where the size is not a multiple of 16.
 */
export function vitTiny({ size, classes, seed }: ArchitectureOptions): Network {
  if (size % tiny.patch !== 0)
    throw new KestrelError(
      'bad-request',
      `Pictures for this network are multiples of ${tiny.patch} pixels wide.`,
    )
  const w = new NetworkWriter('vit_tiny', seed)
  let x = embed(w, w.input([3, size, size]), tiny)
  for (let count = 1; count <= tiny.depth; count++) x = encoder(w, x, `block_${count}`, tiny.heads)
  const normal = layerNorm(w, x, 'norm')
  w.startBlock()
  const first = w.builder.constant('features/first', tensor('int64', [], BigInt64Array.of(0n)))
  const features = w.op('features', 'Gather', [normal.value, first], [tiny.width], { axis: int(1) })
  return w.finish(dense(w, features, 'classifier', { units: classes, initialiser: narrow }))
}
