import { elementCount } from '../../graph/tensor.ts'
import { int, intAttribute, intsAttribute, string } from '../../graph/types.ts'
import type { Value } from './layouts.ts'
import type { LoweringPen, LoweringRule } from './pen.ts'

/** Adds every row of dy to the row it was read from. Indices may count from the end. */
export const gatherGradient: LoweringRule = (pen) => {
  const [indices, dy] = [pen.input(0), pen.input(1)]
  const shape = intsAttribute(pen.node, 'input_shape')!
  const written = intAttribute(pen.node, 'axis', 0)
  const axis = written < 0 ? written + shape.length : written
  const [before, size, after] = [shape.slice(0, axis), shape[axis]!, shape.slice(axis + 1)]
  const count = elementCount(indices.shape)
  const rows = pen.transpose(pen.reshape(dy, [elementCount(before), count, elementCount(after)]), [1, 0, 2])
  const width = elementCount(before) * elementCount(after)
  const sums = pen.op(
    'ScatterND',
    [pen.filled([size, width], 0), places(pen, indices, size, count), pen.reshape(rows, [count, width])],
    [size, width],
    { reduction: string('add') },
  )
  const back = pen.transpose(pen.reshape(sums, [size, elementCount(before), elementCount(after)]), [1, 0, 2])
  return [pen.reshape(back, shape)]
}

/** [count, 1], counted from the start. */
function places(pen: LoweringPen, indices: Value, size: number, count: number): Value {
  const wide = pen.op('Cast', [pen.reshape(indices, [count])], [count], { to: int(7) })
  const length = pen.integers([size])
  return pen.reshape(pen.op('Mod', [pen.add(wide, length), length], [count]), [count, 1])
}
