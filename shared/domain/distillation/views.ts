import { z } from 'zod'
import { createRandom } from '../random.ts'

const share = z.number().min(0).max(1)

/** A part of a picture, in shares of its width and height; `mirrored`: left and right change places. */
export const regionSchema = z.object({
  ...{ left: share, top: share, width: share, height: share },
  mirrored: z.boolean().default(false),
})
export type Region = z.infer<typeof regionSchema>

/** Smallest and largest area of a view, as a share of the picture. */
const AREA = [0.25, 1] as const
/** A view may be this many times wider or higher than the picture's own shape has it. */
const STRETCH = 4 / 3

/**
 * Parts of a picture that are looked at as if each were a picture: the whole first (null), then parts of random size and
 * place, every other one mirrored, as in the training of Inception (Szegedy et al. 2015, section 6). Teacher and student are shown the very same
 * part, so that what the student learns is right for what it sees (Beyer et al. 2022, "consistent teaching").
 * @param key names the picture; the same key and seed give the same views, and more of them begin with those.
 */
export function viewsOf(key: string, count: number, seed: number): (Region | null)[] {
  const random = createRandom(seed, `views ${key}`)
  return Array.from({ length: count }, (_, index) => {
    if (index === 0) return null
    const area = AREA[0] + (AREA[1] - AREA[0]) * random.float()
    const stretch = Math.exp((2 * random.float() - 1) * Math.log(STRETCH))
    const width = Math.min(1, Math.sqrt(area * stretch))
    const height = Math.min(1, Math.sqrt(area / stretch))
    return {
      ...{ width, height, left: (1 - width) * random.float(), top: (1 - height) * random.float() },
      mirrored: random.float() < 0.5,
    }
  })
}
