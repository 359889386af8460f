import { z } from 'zod'
import { leftOutSchema } from '../sources/left-out.ts'
import { placementSchema } from './placement.ts'

/** What is kept of an import so that it can go on after a restart. */
export const importOptionsSchema = z.object({
  /** Dropped paths, or the folder uploads were moved to. */
  roots: z.array(z.string()),
  /** Folder inside the project for unpacked and uploaded files; removed when the import is over. */
  staging: z.string().nullable(),
  title: z.string(),
  storage: z.enum(['copy', 'reference']),
  remember: z.boolean(),
  /** The layout is filled in by the scan. */
  placement: placementSchema,
  /** Set once the scan is through. */
  total: z.int().nullable(),
  /** A look at a folder that was imported before: labels follow moved files, what is gone is excluded. */
  sync: z.boolean(),
  /** What never reached the roots, for the list of what was not read; the scan takes it over. */
  leftOut: z.array(leftOutSchema).default([]),
})
export type ImportOptions = z.infer<typeof importOptionsSchema>
