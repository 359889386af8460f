import { int64s, scalar } from '../../../graph/tensor.ts'
import { trainingDomain } from '../../../graph/training-operators.ts'
import { float, floatAttribute, int } from '../../../graph/types.ts'
import type { Graph, Node } from '../../../graph/types.ts'
import { Edit, GraphView } from './view.ts'

interface Chain {
  conv: Node
  normalisation: Node
  pool: Node
  poolGradient: Node
  normalisationGradient: Node
}

/**
 * A batch normalisation is a rising straight line per channel where γ ≥ 0, and then the maximum of a window may be taken
 * before it: scale and offset, and the sums of the way back, see a quarter of the numbers or less; only the statistics
 * need the whole map. Where γ < 0, the convolution before it gives the map with the other sign (its kernel times −1) and
 * γ is taken with the other sign.
 *
 * Where γ is 0 exactly every value of a window is a maximum, and the gradient of γ has no single value: this form takes
 * that of the largest value before the normalisation, the other one their mean.
 */
export function normalisationBehindPooling(graph: Graph): Graph {
  const view = new GraphView(graph)
  const edit = new Edit(view)
  for (const pool of graph.nodes) {
    const chain = chainAt(view, pool)
    if (chain !== undefined && !edit.touches(...Object.values(chain))) rewriteChain(edit, chain)
  }
  return edit.apply()
}

function chainAt(view: GraphView, pool: Node): Chain | undefined {
  if (pool.op !== 'MaxPool' || pool.domain !== '' || pool.outputs.length !== 1) return undefined
  const normalisation = view.maker(pool.inputs[0], 'BatchNormalizationTraining', trainingDomain)
  const conv = view.maker(normalisation?.inputs[0], 'Conv')
  if (normalisation === undefined || conv === undefined) return undefined
  const [map, y] = [conv.outputs[0]!, normalisation.outputs[0]!]
  const poolGradient = readerOf(view, y, 'MaxPoolGradient')
  const normalisationGradient = readerOf(view, map, 'BatchNormalizationGradient')
  if (poolGradient === undefined || normalisationGradient === undefined) return undefined
  const alone =
    view.isReadBy(map, [normalisation, normalisationGradient]) && view.isReadBy(y, [pool, poolGradient])
  const [x, gamma, mean, variance, dy] = normalisationGradient.inputs
  const fits =
    String([poolGradient.inputs[0], poolGradient.inputs[1]]) === String([y, pool.outputs[0]]) &&
    String([x, gamma]) === String([map, normalisation.inputs[1]]) &&
    String([mean, variance]) === String(normalisation.outputs.slice(1)) &&
    dy === poolGradient.outputs[0] &&
    view.onlyReader(dy!) === normalisationGradient
  return alone && fits ? { conv, normalisation, pool, poolGradient, normalisationGradient } : undefined
}

const readerOf = (view: GraphView, name: string, op: string): Node | undefined =>
  view.readers(name).find((node) => node.op === op && node.domain === trainingDomain)

function rewriteChain(edit: Edit, chain: Chain): void {
  const { conv, normalisation, pool, poolGradient, normalisationGradient } = chain
  const { view } = edit
  const [map, kernel, bias] = [conv.outputs[0]!, conv.inputs[1]!, conv.inputs[2]]
  const [, gamma, beta] = normalisation.inputs as [string, string, string]
  const [y, mean, variance] = normalisation.outputs as [string, string, string]
  const named = (part: string): string => view.fresh(`${y}/${part}`)
  const [positive, sign, signs, signedKernel] = ['positive', 'sign', 'signs', 'kernel'].map(named) as [
    string,
    string,
    string,
    string,
  ]
  const [truth, doubled, steepness, ownMean, maxima] = ['truth', 'doubled', 'gamma', 'mean', 'maxima'].map(
    named,
  ) as [string, string, string, string, string]
  const number = (value: number): string => edit.constant(named('number'), scalar(value))
  const biasNodes: Node[] = []
  const inputs = [conv.inputs[0]!, signedKernel]
  if (bias !== undefined && bias !== '') {
    inputs.push(named('bias'))
    biasNodes.push(edit.node('Mul', [bias, sign], inputs[2]!))
  }
  edit.replace(conv, [
    edit.node('GreaterOrEqual', [gamma, number(0)], truth),
    edit.node('Cast', [truth], positive, { attributes: { to: int(1) } }),
    edit.node('Mul', [positive, number(2)], doubled),
    edit.node('Sub', [doubled, number(1)], sign),
    edit.node('Reshape', [sign, edit.constant(named('shape'), int64s([-1, 1, 1, 1]))], signs),
    edit.node('Mul', [kernel, signs], signedKernel),
    ...biasNodes,
    { ...conv, inputs },
  ])
  const epsilon = float(floatAttribute(normalisation, 'epsilon', 1e-5))
  edit.replace(normalisation, [
    {
      name: `${y}/statistics`,
      op: 'BatchStatistics',
      domain: trainingDomain,
      inputs: [map],
      outputs: [ownMean, variance],
      attributes: { epsilon },
    },
    edit.node('Mul', [ownMean, sign], mean),
    edit.node('Mul', [gamma, sign], steepness),
  ])
  edit.replace(pool, [
    { ...pool, inputs: [map], outputs: [maxima] },
    edit.node('BatchNormalization', [maxima, steepness, beta, ownMean, variance], pool.outputs[0]!, {
      attributes: { epsilon },
    }),
  ])
  edit.replace(poolGradient, [])
  edit.replace(normalisationGradient, [
    {
      ...normalisationGradient,
      op: 'PooledNormalizationGradient',
      inputs: [map, steepness, ownMean, variance, poolGradient.inputs[2]!, maxima, sign],
      attributes: { ...poolGradient.attributes, epsilon },
    },
  ])
}
