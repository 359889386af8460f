import type { Graph, Node } from '../../../graph/types.ts'
import { trainingDomain } from '../../../graph/training-operators.ts'
import { Edit, GraphView } from './view.ts'

/**
 * max(relu(y)) = relu(max(y)): the rectifier and its mask behind a maximum pooling see a quarter of the numbers or less.
 * A window whose maximum is not above 0 hands nothing on either way; in the others exactly the same values are the
 * maxima.
 */
export function reluBehindPooling(graph: Graph): Graph {
  const view = new GraphView(graph)
  const edit = new Edit(view)
  for (const pool of graph.nodes) {
    const relu = pool.op === 'MaxPool' ? view.maker(pool.inputs[0], 'Relu') : undefined
    if (relu === undefined || pool.domain !== '' || pool.outputs.length !== 1) continue
    const [before, rectified] = [relu.inputs[0]!, relu.outputs[0]!]
    const back = wayBack(view, rectified, pool)
    if (back === undefined || edit.touches(relu, pool)) continue
    const maxima = view.fresh(`${pool.outputs[0]}/maxima`)
    edit.replace(relu, [])
    edit.replace(pool, [
      { ...pool, inputs: [before], outputs: [maxima] },
      { ...relu, inputs: [maxima], outputs: pool.outputs },
    ])
    if (back === 'none') continue
    const { gradient, greater, cast, product } = back
    const masked = view.fresh(`${product.outputs[0]}/masked`)
    edit.replace(greater, [{ ...greater, inputs: [pool.outputs[0]!, greater.inputs[1]!] }])
    edit.replace(gradient, [])
    edit.replace(product, [
      edit.node('Mul', [gradient.inputs[2]!, cast.outputs[0]!], masked),
      { ...gradient, inputs: [before, maxima, masked], outputs: product.outputs },
    ])
  }
  return edit.apply()
}

interface WayBack {
  gradient: Node
  greater: Node
  cast: Node
  product: Node
}

/** The nodes through which the gradient goes back; `none` without one, undefined where somebody else reads the values. */
function wayBack(view: GraphView, rectified: string, pool: Node): WayBack | 'none' | undefined {
  if (view.onlyReader(rectified) === pool) return 'none'
  const readers = view.readers(rectified)
  const gradient = readers.find(({ op, domain }) => op === 'MaxPoolGradient' && domain === trainingDomain)
  const greater = readers.find(
    ({ op, domain, inputs }) => op === 'Greater' && domain === '' && inputs[0] === rectified,
  )
  if (gradient === undefined || greater === undefined) return undefined
  if (!view.isReadBy(rectified, [pool, gradient, greater]) || view.number(greater.inputs[1]) !== 0)
    return undefined
  if (gradient.inputs[0] !== rectified || gradient.inputs[1] !== pool.outputs[0]) return undefined
  const cast = view.onlyReader(greater.outputs[0]!)
  const product = view.onlyReader(gradient.outputs[0]!)
  if (cast?.op !== 'Cast' || product?.op !== 'Mul' || view.onlyReader(cast.outputs[0]!) !== product)
    return undefined
  return product.inputs.includes(cast.outputs[0]!) && product.inputs.includes(gradient.outputs[0]!)
    ? { gradient, greater, cast, product }
    : undefined
}
