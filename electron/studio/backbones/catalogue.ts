import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { resourcesFolder } from '#shared/util/app-folders.ts'
import { scalingText } from './preprocessing-text.ts'

/** A backbone's id is also the name of its folder: nothing that could lead out of the store. */
export const backboneId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/)

const catalogueEntrySchema = z.object({
  id: backboneId,
  name: z.string(),
  words: z.string(),
  architecture: z.string(),
  inputSize: z.int().positive(),
  featureLength: z.int().positive(),
  bytes: z.int().positive(),
  licence: z.string(),
  preprocessing: scalingText,
  hash: z.object({
    algorithm: z.enum(['sha256', 'sha1', 'md5']),
    value: z.string().regex(/^[0-9a-f]{32,64}$/),
  }),
  /** Where the source itself publishes the hash. */
  publishedIn: z.string().min(1),
  file: z.string().regex(/^[A-Za-z0-9._-]+$/),
  /** Tried in this order. */
  urls: z.array(z.url({ protocol: /^https?$/ })).min(1),
})
export type CatalogueEntry = z.infer<typeof catalogueEntrySchema>

export const catalogueSchema = z.object({ version: z.literal(1), backbones: z.array(catalogueEntrySchema) })

export const catalogueFile = (): string => join(resourcesFolder(), 'backbones', 'catalog.json')

export const readCatalogue = (file = catalogueFile()): CatalogueEntry[] =>
  catalogueSchema.parse(JSON.parse(readFileSync(file, 'utf8'))).backbones
