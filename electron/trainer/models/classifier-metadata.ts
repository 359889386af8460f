import { z } from 'zod'
import { preprocessingSchema } from '#shared/domain/preprocessing/definition.ts'
import type { Preprocessing } from '#shared/domain/preprocessing/definition.ts'
import { jsonOrUndefined } from '#shared/util/json.ts'
import type { Graph } from '../graph/types.ts'

/** Keys of what a model file says about itself (ONNX `metadata_props`). */
export const metadataKeys = {
  labels: 'kestrel.labels',
  preprocessing: 'kestrel.preprocessing',
  threshold: 'kestrel.threshold',
  version: 'kestrel.version',
} as const

const labelsSchema = z.array(z.string()).min(1)

/** What a file that Kestrel wrote says about itself; null for what it does not say, or not readably. */
export function saidBy({ metadata }: Graph): { recorded: Preprocessing | null; labels: string[] | null } {
  const read = <T>(key: string, schema: z.ZodType<T>): T | null =>
    schema.safeParse(jsonOrUndefined(metadata.get(key) ?? '')).data ?? null
  return {
    recorded: read(metadataKeys.preprocessing, preprocessingSchema),
    labels: read(metadataKeys.labels, labelsSchema),
  }
}
