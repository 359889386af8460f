import type { Graph, Node } from '../../../graph/types.ts'
import { Edit, GraphView } from './view.ts'

/**
 * Whether a value lies strictly between the bounds of a Clip shows in what came out of it just as well: what went in need
 * not be kept for the way back, and the clip can be a part of the convolution before it.
 */
export function masksBehindClip(graph: Graph): Graph {
  const view = new GraphView(graph)
  const edit = new Edit(view)
  for (const clip of graph.nodes) {
    if (clip.op !== 'Clip' || clip.domain !== '') continue
    const [x, low = '', high = ''] = clip.inputs
    const [bottom, top] = [low, high].map((name) => (name === '' ? undefined : view.number(name)))
    // Bounds that are computed may cross each other.
    const ordered = low === '' || high === '' || (bottom !== undefined && top !== undefined && bottom < top)
    if (!ordered || x === undefined) continue
    const asks = ({ op, domain, inputs }: Node): boolean =>
      domain === '' &&
      inputs[0] === x &&
      ((op === 'Greater' && low !== '' && inputs[1] === low) ||
        (op === 'Less' && high !== '' && inputs[1] === high))
    for (const question of view.readers(x).filter(asks))
      if (!edit.touches(question))
        edit.replace(question, [{ ...question, inputs: [clip.outputs[0]!, question.inputs[1]!] }])
  }
  return edit.apply()
}
