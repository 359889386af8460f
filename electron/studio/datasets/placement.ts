import { z } from 'zod'
import { labelRules } from '#shared/contract/projects.ts'
import { splitNames } from '#shared/contract/trainer.ts'
import type { SplitName } from '#shared/contract/trainer.ts'
import { placePicture } from '#shared/domain/folder-labels.ts'

/** How pictures of one import get label and split; part of what is kept to go on after a restart. */
export const placementSchema = z.object({
  rule: z.enum(labelRules),
  /** All pictures get this label instead. */
  labelId: z.int().nullable(),
  keepSplit: z.boolean(),
  /** All pictures are of this side, whatever their folders say. */
  forcedSplit: z.enum(splitNames).nullable(),
  /** Leading folders that are not looked at (see {@link leadingFolders}). */
  strip: z.int().min(0),
  layout: z.object({ wrapper: z.int(), splitLevel: z.enum(['first', 'last']).nullable() }),
})
export type Placement = z.infer<typeof placementSchema>

export interface Place {
  /** A name, an existing label's id, or neither. */
  label: string | number | null
  split: SplitName | null
}

export function placeOf(relative: string, placement: Placement): Place {
  const { label, split } = placePicture(
    withoutLeading(relative, placement.strip),
    placement.rule,
    placement.layout,
  )
  return {
    label: placement.labelId ?? label,
    split: placement.forcedSplit ?? (placement.keepSplit ? split : null),
  }
}

/**
 * A dropped folder with folders in it is only what holds them: pictures that lie loose in it must not be labelled with
 * its name. A dropped folder of loose pictures names their label.
 * @returns how many leading folders say nothing, 0 or 1
 */
export function leadingFolders(relatives: readonly string[]): number {
  const slash = relatives[0]?.indexOf('/') ?? -1
  if (slash < 0) return 0
  const shared = relatives[0]!.slice(0, slash + 1)
  const nested = relatives.some((relative) => relative.indexOf('/', shared.length) >= 0)
  return nested && relatives.every((relative) => relative.startsWith(shared)) ? 1 : 0
}

const withoutLeading = (relative: string, strip: number): string =>
  strip === 0 ? relative : relative.split('/').slice(strip).join('/')

export const stripLeading = (relatives: readonly string[], strip: number): string[] =>
  relatives.map((relative) => withoutLeading(relative, strip))
