import { expect, test } from 'vitest'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { elementCount, float32, int64s, scalar, tensor } from '#trainer/graph/tensor.ts'
import { int, ints, type Attributes } from '#trainer/graph/types.ts'
import { learnableOf } from '#trainer/models/learnable.ts'

class Net {
  readonly b = new GraphBuilder('net')
  readonly x = this.b.input({ name: 'input', type: 'float32', shape: ['batch', 3, 4, 4] })

  constant(name: string, shape: number[], value = 0.5): string {
    return this.b.constant(name, float32(shape, new Float32Array(elementCount(shape)).fill(value)))
  }

  op(type: string, inputs: string[], attributes: Attributes = {}): string {
    return this.b.node(type, inputs, attributes)
  }

  list(...values: number[]): string {
    return this.b.constant('list', int64s(values))
  }

  learned(value: string): [name: string, role: string][] {
    this.b.output(value, { name: 'features', type: 'float32', shape: null })
    return learnableOf(this.b.build()).map(({ name, role }) => [name, role])
  }
}

const conv = (net: Net, x: string): string => net.op('Conv', [x, net.constant('kernel', [4, 3, 1, 1])])

test('weights, biases, scales, shifts and slopes by their place in the operator; statistics never', () => {
  const net = new Net()
  const map = net.op('Conv', [net.x, net.constant('conv/w', [4, 3, 3, 3]), net.constant('conv/b', [4])])
  const norm = ['scale', 'shift', 'mean', 'variance'].map((name) => net.constant(`bn/${name}`, [4]))
  const normal = net.op('BatchNormalization', [map, ...norm])
  const bent = net.op('PRelu', [normal, net.constant('slope', [4, 1, 1])])
  const flat = net.op('Flatten', [net.op('GlobalAveragePool', [bent])], { axis: int(1) })
  const dense = net.op('Gemm', [flat, net.constant('dense/w', [4, 5]), net.constant('dense/b', [5])])
  const last = net.op('LayerNormalization', [
    dense,
    net.constant('ln/scale', [5]),
    net.constant('ln/shift', [5]),
  ])
  expect(net.learned(last)).toEqual([
    ['conv/w', 'weight'],
    ['conv/b', 'bias'],
    ['bn/scale', 'scale'],
    ['bn/shift', 'shift'],
    ['slope', 'slope'],
    ['dense/w', 'weight'],
    ['dense/b', 'bias'],
    ['ln/scale', 'scale'],
    ['ln/shift', 'shift'],
  ])
})

test('constants that stand free learn behind the first layer only, single numbers and masks never', () => {
  const net = new Net()
  const scaled = net.op('Mul', [
    net.op('Add', [net.x, net.constant('mean', [3, 1, 1])]),
    net.constant('std', [3, 1, 1]),
  ])
  const map = net.op('Add', [conv(net, scaled), net.constant('bias', [1, 4, 1, 1])])
  const half = net.op('Mul', [net.op('Relu', [map]), net.b.constant('half', scalar(0.5))])
  const weighed = net.op('Mul', [half, net.constant('layer_scale', [4, 1, 1])])
  const moved = net.op('Add', [weighed, net.constant('moved', [4, 1, 1])])
  const placed = net.op('Add', [net.constant('places', [1, 4, 4, 4]), moved])
  const masked = net.op('Add', [placed, net.constant('mask', [1, 1, 4, 4], -10_000)])
  expect(net.learned(net.op('Softmax', [masked], { axis: int(-1) }))).toEqual([
    ['kernel', 'weight'],
    ['bias', 'bias'],
    ['layer_scale', 'scale'],
    ['moved', 'shift'],
    ['places', 'embedding'],
  ])
})

test('weights are followed through what only moves numbers about', () => {
  const net = new Net()
  const rows = net.op('Reshape', [conv(net, net.x), net.list(0, 4, 16)])
  const turned = net.op('Transpose', [net.constant('w', [5, 16])], { perm: ints([1, 0]) })
  const product = net.op('MatMul', [rows, turned])
  const shaped = net.op('Reshape', [net.constant('b', [5]), net.list(1, 1, 5)])
  const sum = net.op('Add', [shaped, net.op('Reshape', [product, net.list(0, 4, 5)])])
  expect(net.learned(sum)).toEqual([
    ['kernel', 'weight'],
    ['w', 'weight'],
    ['b', 'bias'],
  ])
})

test('tokens, repeated for each picture or not, and constants shared by two layers count once', () => {
  const net = new Net()
  const rows = net.op('Reshape', [conv(net, net.x), net.list(0, 4, 16)])
  const batch = net.op('Shape', [net.x], { end: int(1) })
  const sizes = net.op('Concat', [batch, net.list(1, 16)], { axis: int(0) })
  const token = net.op('Expand', [net.constant('token', [1, 1, 16]), sizes])
  const tokens = net.op('Concat', [token, rows], { axis: int(1) })
  const shared = net.constant('shared', [16, 16])
  const twice = net.op('MatMul', [net.op('MatMul', [tokens, shared]), shared])
  // An empty row, repeated: nothing to learn.
  const zero = net.op('Expand', [net.b.constant('zero', scalar(0)), sizes])
  expect(net.learned(net.op('Add', [twice, net.op('Mul', [twice, zero])]))).toEqual([
    ['kernel', 'weight'],
    ['token', 'embedding'],
    ['shared', 'weight'],
  ])
})

test('numbers that are not float32 stay as they are', () => {
  const net = new Net()
  const half = net.b.constant('half', tensor('float16', [4, 3, 1, 1], new Uint16Array(12)))
  const kernel = net.op('Cast', [half], { to: int(1) })
  expect(net.learned(net.op('Conv', [net.x, kernel]))).toEqual([])
})
