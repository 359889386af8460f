import { elementCount } from '../../../graph/tensor.ts'
import { floatAttribute, intAttribute } from '../../../graph/types.ts'
import { broadcastOffsets, broadcastShape, offsets, stridesOf } from '../indexing.ts'
import type { Call, Kernel, KernelTable } from '../kernel.ts'
import { fromNumbers, numbersOf, real } from '../value.ts'
import type { Value } from '../value.ts'

/** α · A′ · B′ + β · C, where ′ turns with `transA` and `transB`, and C is broadcast. */
const gemm: Kernel = (call) => {
  const [a, b, c] = [call.real(0), call.real(1), call.optionalReal(2)]
  const turnA = intAttribute(call.node, 'transA', 0) === 1
  const turnB = intAttribute(call.node, 'transB', 0) === 1
  const [alpha, beta] = [floatAttribute(call.node, 'alpha', 1), floatAttribute(call.node, 'beta', 1)]
  const [rows, inner] = turnA ? [a.shape[1]!, a.shape[0]!] : [a.shape[0]!, a.shape[1]!]
  const [other, columns] = turnB ? [b.shape[1]!, b.shape[0]!] : [b.shape[0]!, b.shape[1]!]
  if (inner !== other) call.fail(`the sizes ${inner} and ${other} are to be multiplied`)
  const at = c === undefined ? undefined : broadcastOffsets(c.shape, [rows, columns])
  const y = new Float64Array(rows * columns)
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      let sum = 0
      for (let k = 0; k < inner; k++)
        sum +=
          a.data[turnA ? k * rows + i : i * inner + k]! * b.data[turnB ? j * inner + k : k * columns + j]!
      y[i * columns + j] = alpha * sum
      if (c !== undefined && at !== undefined) y[i * columns + j]! += beta * c.data[at[i * columns + j]!]!
    }
  return [real([rows, columns], y)]
}

/** numpy.matmul: a vector is a row on the left and a column on the right; leading axes broadcast. */
function multiply(call: Call, a: Value, b: Value): Value {
  const left = a.shape.length === 1 ? [1, ...a.shape] : a.shape
  const right = b.shape.length === 1 ? [...b.shape, 1] : b.shape
  const [rows, inner] = [left.at(-2)!, left.at(-1)!]
  const [other, columns] = [right.at(-2)!, right.at(-1)!]
  if (inner !== other) call.fail(`the sizes ${inner} and ${other} are to be multiplied`)
  const leading = broadcastShape(left.slice(0, -2), right.slice(0, -2))
  const atA = broadcastOffsets(left.slice(0, -2), leading)
  const atB = broadcastOffsets(right.slice(0, -2), leading)
  const [x, w] = [numbersOf(a), numbersOf(b)]
  const y = new Float64Array(atA.length * rows * columns)
  let at = 0
  for (let m = 0; m < atA.length; m++)
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) {
        let sum = 0
        const [row, matrix] = [(atA[m]! * rows + i) * inner, atB[m]! * inner * columns]
        for (let k = 0; k < inner; k++) sum += x[row + k]! * w[matrix + k * columns + j]!
        y[at++] = sum
      }
  const shape = [
    ...leading,
    ...(a.shape.length === 1 ? [] : [rows]),
    ...(b.shape.length === 1 ? [] : [columns]),
  ]
  return fromNumbers(a.type, shape, y)
}

const matMul: Kernel = (call) => [multiply(call, call.input(0), call.input(1))]

/** A term of an equation: the letters of its axes, those of `...` spelt out as numbers. */
function lettersOf(term: string, rank: number): string[] {
  const [before = '', after] = term.replaceAll(' ', '').split('...')
  const hidden = after === undefined ? 0 : rank - before.length - after.length
  return [...before, ...Array.from({ length: hidden }, (_, i) => `${hidden - i}`), ...(after ?? '')]
}

/** numpy.einsum: the sum, over all letters that the result lacks, of the products of the entries. */
const einsum: Kernel = (call) => {
  const equation = call.node.attributes['equation']
  const values = call.node.inputs.map((_, index) => call.real(index))
  const [left = '', right] = (equation?.kind === 'string' ? equation.value : '').split('->')
  const terms = left.split(',').map((term, index) => lettersOf(term, values[index]?.shape.length ?? 0))
  if (terms.length !== values.length) call.fail(`its equation has ${terms.length} terms`)
  const sizes = new Map<string, number>()
  terms.forEach((letters, index) =>
    letters.forEach((letter, axis) => {
      const size = values[index]!.shape[axis]!
      const known = sizes.get(letter) ?? 1
      if (known !== 1 && size !== 1 && known !== size) call.fail(`"${letter}" is both ${known} and ${size}`)
      sizes.set(letter, Math.max(known, size))
    }),
  )
  const result = right === undefined ? implicitResult(terms) : resultLetters(right, [...sizes.keys()])
  const summed = [...sizes.keys()].filter((letter) => !result.includes(letter))
  const shape = result.map((letter) => sizes.get(letter)!)
  const loops = [...result, ...summed]
  const whole = loops.map((letter) => sizes.get(letter)!)
  const at = values.map((value, index) => {
    const strides = stridesOf(value.shape)
    const along = (letter: string): number =>
      terms[index]!.reduce(
        (sum, own, axis) => sum + (own === letter && value.shape[axis] !== 1 ? strides[axis]! : 0),
        0,
      )
    return offsets(whole, loops.map(along))
  })
  const y = new Float64Array(elementCount(shape))
  const perEntry = elementCount(summed.map((letter) => sizes.get(letter)!))
  for (let i = 0; i < y.length * perEntry; i++)
    y[Math.floor(i / perEntry)]! += values.reduce((product, value, v) => product * value.data[at[v]![i]!]!, 1)
  return [real(shape, y)]
}

const byName = (a: string, b: string): number => (a < b ? -1 : 1)
const isHidden = (letter: string): boolean => /^\d+$/.test(letter)
const hiddenOf = (letters: readonly string[]): string[] =>
  [...new Set(letters.filter(isHidden))].sort((a, b) => Number(b) - Number(a))

/** Without `->`: the hidden axes, then every letter that stands once, in the order of the alphabet. */
function implicitResult(terms: readonly (readonly string[])[]): string[] {
  const letters = terms.flat()
  const once = letters.filter((letter) => letters.filter((each) => each === letter).length === 1)
  return [...hiddenOf(letters), ...once.filter((letter) => !isHidden(letter)).sort(byName)]
}

function resultLetters(written: string, letters: readonly string[]): string[] {
  const [before = '', after] = written.replaceAll(' ', '').split('...')
  return [...before, ...(after === undefined ? [] : [...hiddenOf(letters), ...after])]
}

export const matrixKernels: KernelTable = { Gemm: gemm, MatMul: matMul, Einsum: einsum }
