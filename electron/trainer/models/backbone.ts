import { createHash } from 'node:crypto'
import { writeFileWhole } from '#shared/util/write-file-whole.ts'
import type { PrepareBackboneResult } from '#shared/contract/trainer.ts'
import { preprocessingOf } from '#shared/domain/preprocessing/scaling.ts'
import { writeOnnx } from '../graph/onnx/index.ts'
import { optimiseForInference } from '../graph/optimise.ts'
import { elementCount } from '../graph/tensor.ts'
import type { Graph } from '../graph/types.ts'
import { upgradeOpset } from '../graph/upgrade.ts'
import { knownScaling, recogniseArchitecture } from './architecture.ts'
import { saidBy } from './classifier-metadata.ts'
import { cutToFeatures, findFeatures } from './features.ts'
import { openPicture } from './picture-input.ts'
import { readModel } from './source.ts'
import type { ModelSource } from './source.ts'

export interface Backbone extends Omit<PrepareBackboneResult, 'kind' | 'sha256'> {
  /** `input` float32 [batch, 3, height, width] → `features` float32 [batch, featureLength]. */
  graph: Graph
}

/** Cuts a network at its features and says what is known about it. */
export function backboneOf(source: ModelSource): Backbone {
  const input = openPicture(source.graph)
  const point = findFeatures(input.graph)
  const { graph, length } = cutToFeatures(input, point)
  const parameters = [...graph.initialisers.values()]
    .filter((value) => value.type === 'float32' && value.shape.length > 0)
    .reduce((sum, value) => sum + elementCount(value.shape), 0)
  const optimised = optimiseForInference(upgradeOpset(graph))
  const architecture = recogniseArchitecture(optimised)
  const scaling = knownScaling(optimised, architecture, source.format, source.graph.producer)
  const size = { width: input.width, height: input.height }
  const preprocessing = input.preprocessing ?? (scaling && preprocessingOf(size, scaling))
  const { labels } = saidBy(source.graph)
  return {
    graph: optimised,
    architecture,
    input: size,
    featureLength: length,
    featureLayer: point.layer,
    parameters,
    preprocessing,
    ...(labels === null ? {} : { labels }),
  }
}

/**
 * Reads a network from `file` (ONNX, Keras or TF.js layers), cuts it at its features and writes it to `target` as
 * ONNX. Throws what `readModel` throws, and `backbone-unsupported` for networks that do not take an RGB picture.
 */
export async function prepareBackbone(file: string, target: string): Promise<PrepareBackboneResult> {
  const { graph, ...result } = backboneOf(await readModel(file))
  const bytes = writeOnnx(graph)
  await writeFileWhole(target, bytes)
  return {
    kind: 'prepare-backbone',
    ...result,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  }
}
