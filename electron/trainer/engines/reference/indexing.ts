import { KestrelError } from '#shared/errors/index.ts'
import { elementCount } from '../../graph/tensor.ts'

/** How far apart neighbours along each axis lie in a row-major value. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1)
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!
  return strides
}

/** −1 is the last axis. @throws KestrelError `bad-request` for an axis that is not there. */
export function axisOf(axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis
  if (positive < 0 || positive >= rank)
    throw new KestrelError('bad-request', `There is no axis ${axis} among ${rank}.`)
  return positive
}

/**
 * Offsets into some value for every place of `shape`, in row-major order: each step along an axis moves by its stride.
 * A stride of 0 repeats, a negative one walks backwards.
 */
export function offsets(shape: readonly number[], strides: readonly number[], start = 0): Int32Array {
  const result = new Int32Array(elementCount(shape))
  const place = new Array<number>(shape.length).fill(0)
  let offset = start
  for (let i = 0; i < result.length; i++) {
    result[i] = offset
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      place[axis]! += 1
      offset += strides[axis]!
      if (place[axis]! < shape[axis]!) break
      offset -= strides[axis]! * shape[axis]!
      place[axis] = 0
    }
  }
  return result
}

/** The coordinates of every place of `shape`, in row-major order. */
export function places(shape: readonly number[]): number[][] {
  const strides = stridesOf(shape)
  return Array.from({ length: elementCount(shape) }, (_, flat) =>
    shape.map((size, axis) => Math.floor(flat / strides[axis]!) % size),
  )
}

/** Shape of what comes out of an elementwise operation (numpy.org/doc/stable/user/basics.broadcasting.html). */
export function broadcastShape(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length))
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1)
    const size = sizes.find((each) => each !== 1) ?? 1
    if (sizes.some((each) => each !== 1 && each !== size))
      throw new KestrelError(
        'bad-request',
        `Shapes do not go together: ${shapes.map((shape) => `[${shape.join(', ')}]`).join(' and ')}.`,
      )
    return size
  })
}

/** Where each place of `to` is read from in a value of shape `from`, which is repeated along the axes where it has one. */
export function broadcastOffsets(from: readonly number[], to: readonly number[]): Int32Array {
  const own = stridesOf(from)
  const lead = to.length - from.length
  return offsets(
    to,
    to.map((_, axis) => (axis < lead || from[axis - lead] === 1 ? 0 : own[axis - lead]!)),
  )
}

export interface Lanes {
  /** Shape of one entry per lane: the reduced axes have size 1. */
  keptShape: number[]
  /** Where each lane begins. */
  starts: Int32Array
  /** Where the members of a lane lie, from its beginning. */
  members: Int32Array
}

/** Cuts a value into lanes that run along `axes` (positive): what a reduction, a softmax or a normalisation works on. */
export function lanesOf(shape: readonly number[], axes: readonly number[]): Lanes {
  const strides = stridesOf(shape)
  const along = (axis: number): boolean => axes.includes(axis)
  return {
    keptShape: shape.map((size, axis) => (along(axis) ? 1 : size)),
    starts: offsets(
      shape.filter((_, axis) => !along(axis)),
      strides.filter((_, axis) => !along(axis)),
    ),
    members: offsets(
      shape.filter((_, axis) => along(axis)),
      strides.filter((_, axis) => along(axis)),
    ),
  }
}
