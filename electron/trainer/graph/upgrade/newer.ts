import { int64s, scalar } from '../tensor.ts'
import { floatAttribute, int, intAttribute, stringAttribute } from '../types.ts'
import type { Node } from '../types.ts'
import { unread, without } from './tools.ts'
import type { UpgradeTools } from './tools.ts'

/**
 * A node of set 18 or newer in a form that the runtime has. Sets 27 and 28 gave operators more number types, Range a
 * precision for 16-bit floats and SpaceToDepth the other order of channels; their new operators the runtime does not
 * know, which it says by name.
 */
export function downgradeNode(node: Node, tools: UpgradeTools): Node[] {
  switch (node.op) {
    case 'Swish':
      return spellSwish(node, tools)
    case 'Range':
      return [{ ...node, attributes: without(node, 'stash_type') }]
    case 'SpaceToDepth':
      return spaceToDepth(node, tools)
    default:
      return [node]
  }
}

function spaceToDepth(node: Node, tools: UpgradeTools): Node[] {
  const plain = { ...node, attributes: without(node, 'mode') }
  if (stringAttribute(node, 'mode', 'DCR') === 'DCR') return [plain]
  const channels = tools.shapes.get(node.inputs[0] ?? '')?.shape?.[1]
  if (typeof channels !== 'number') throw unread(node)
  const [y = ''] = node.outputs
  const deep = tools.value(`${y}/deep`)
  const blocks = intAttribute(node, 'blocksize', 1) ** 2
  // Channel c of block b is the (c · blocks + b)-th of CRD and the (b · channels + c)-th of DCR.
  const order = Array.from(
    { length: channels * blocks },
    (_, at) => (at % blocks) * channels + Math.floor(at / blocks),
  )
  return [
    { ...plain, outputs: [deep] },
    {
      name: '',
      op: 'Gather',
      domain: '',
      inputs: [deep, tools.constant(`${y}/order`, int64s(order))],
      outputs: [y],
      attributes: { axis: int(1) },
    },
  ]
}

export const isSwish = ({ op, domain }: Node): boolean => op === 'Swish' && domain === ''

/** x · σ(α · x): set 24 made it one operator, which the runtime does not have on the processor. */
function spellSwish(node: Node, tools: UpgradeTools): Node[] {
  const [x = ''] = node.inputs
  const [y = ''] = node.outputs
  const alpha = floatAttribute(node, 'alpha', 1)
  const [scaled, gate] = [tools.value(`${y}/scaled`), tools.value(`${y}/gate`)]
  const plain = { name: '', domain: '', attributes: {} }
  const factor: Node[] =
    alpha === 1
      ? []
      : [{ ...plain, op: 'Mul', inputs: [x, tools.constant(`${y}/alpha`, scalar(alpha))], outputs: [scaled] }]
  return [
    ...factor,
    { ...plain, op: 'Sigmoid', inputs: [alpha === 1 ? x : scaled], outputs: [gate] },
    { ...node, op: 'Mul', inputs: [x, gate], attributes: {} },
  ]
}
