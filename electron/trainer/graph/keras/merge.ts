import { z } from 'zod'
import { scalar } from '../tensor.ts'
import { int } from '../types.ts'
import { damagedIn, graphAxis, settings } from './context.ts'
import type { KerasValue, LayerContext, LayerReader } from './context.ts'

type Operand = KerasValue | number

const nameOf = (operand: Operand, context: LayerContext): string =>
  typeof operand === 'number'
    ? context.builder.constant(`${context.label}/constant`, scalar(operand))
    : operand.name

/** Shape after broadcasting equal ranks; Keras' merging layers take nothing else apart from plain numbers. */
function merged(inputs: readonly Operand[], context: LayerContext): KerasValue['shape'] {
  const shapes = inputs.flatMap((operand) => (typeof operand === 'number' ? [] : [operand.shape]))
  const [first] = shapes
  if (first === undefined) throw damagedIn(context, 'it has no input')
  if (shapes.some((shape) => shape.length !== first.length)) {
    throw damagedIn(context, 'its inputs have different numbers of dimensions')
  }
  return first.map((_, axis) => {
    const sizes = shapes.map((shape) => shape[axis] ?? null)
    if (sizes.includes(null)) return null
    const known = new Set(sizes.filter((size) => size !== 1))
    if (known.size > 1) throw damagedIn(context, 'the shapes of its inputs do not fit each other')
    return [...known][0] ?? 1
  })
}

const elementwise =
  (op: 'Add' | 'Sub' | 'Mul' | 'Div' | 'Max' | 'Min', average = false): LayerReader =>
  (inputs, context) => {
    const [first, ...rest] = inputs
    if (first === undefined) throw damagedIn(context, 'it has no input')
    const { builder, label } = context
    let name = nameOf(first, context)
    for (const operand of rest)
      name = builder.node(op, [name, nameOf(operand, context)], {}, `${label}/${op}`)
    if (average) {
      const count = builder.constant(`${label}/count`, scalar(inputs.length))
      name = builder.node('Div', [name, count], {}, `${label}/Div`)
    }
    return { name, shape: merged(inputs, context) }
  }

const concatenate: LayerReader = (inputs, context) => {
  const values = inputs.filter((operand): operand is KerasValue => typeof operand !== 'number')
  const [first] = values
  if (first === undefined) throw damagedIn(context, 'it has no input')
  const rank = first.shape.length
  if (values.some((value) => value.shape.length !== rank)) {
    throw damagedIn(context, 'its inputs have different numbers of dimensions')
  }
  const { axis } = settings(context, z.object({ axis: z.int().default(-1) }))
  const along = axis < 0 ? axis + rank : axis
  const total = values.reduce<number | null>((sum, value) => {
    const size = value.shape[along] ?? null
    return sum === null || size === null ? null : sum + size
  }, 0)
  const name = context.builder.node(
    'Concat',
    values.map((value) => value.name),
    { axis: int(graphAxis(axis, rank, context)) },
    `${context.label}/Concat`,
  )
  return { name, shape: first.shape.map((size, at) => (at === along ? total : size)) }
}

export const mergeReaders: Record<string, LayerReader> = {
  Add: elementwise('Add'),
  Subtract: elementwise('Sub'),
  Multiply: elementwise('Mul'),
  Average: elementwise('Add', true),
  Maximum: elementwise('Max'),
  Minimum: elementwise('Min'),
  Divide: elementwise('Div'),
  TrueDivide: elementwise('Div'),
  Concatenate: concatenate,
  'tf.__operators__.add': elementwise('Add'),
  'tf.math.add': elementwise('Add'),
  'tf.math.subtract': elementwise('Sub'),
  'tf.math.multiply': elementwise('Mul'),
  'tf.math.truediv': elementwise('Div'),
}
