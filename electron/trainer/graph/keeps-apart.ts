import { BATCH, batchAxes, isUnderstood, mixesPictures } from './batch-axis.ts'
import { dependents } from './edit.ts'
import { inferValues } from './infer/index.ts'
import type { Graph } from './types.ts'

/**
 * Whether it is certain that no picture of a batch has a say in another one's answer: pictures are counted along the first
 * axis of every value, and no node looks along it. Where a shape or an operator is not known, it is not certain.
 * @param graph its input has the first dimension "batch"
 */
export function keepsPicturesApart(graph: Graph): boolean {
  const known = inferValues(graph)
  const opset = graph.opsets.get('') ?? 1
  const depends = dependents(graph)
  const isRows = (name: string): boolean => {
    const shape = known.get(name)?.shape
    return shape?.[0] === BATCH && batchAxes(shape).length === 1
  }
  return (
    graph.inputs.every(({ name }) => isRows(name)) &&
    graph.nodes.every((node) => {
      const values = [...node.inputs, ...node.outputs].filter((name) => depends.has(name))
      if (values.length === 0) return true
      return isUnderstood(node) && values.every(isRows) && !mixesPictures(node, opset, known)
    })
  )
}
