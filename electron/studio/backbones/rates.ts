import { readFileSync } from 'node:fs'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { updateRate } from '#shared/domain/forecast.ts'

const ratesSchema = z.object({
  version: z.literal(1),
  /** Pictures per second from file to feature, by backbone. */
  features: z.record(z.string(), z.number().positive()),
  /** Work of head fits per second (`fitWork` of shared/domain/forecast.ts), from nothing. */
  fit: z.number().positive().nullable(),
  /** The same, begun where an earlier training ended. */
  warmFit: z.number().positive().nullable().default(null),
})
type Rates = z.infer<typeof ratesSchema>

export interface MeasuredRatesStore {
  features(backboneId: string): number | null
  /** @param warm begun where an earlier training ended: several times as fast */
  fit(warm: boolean): number | null
  /** Takes a measurement in; too small ones say more about the start than about the speed and are left out. */
  noteFeatures(backboneId: string, pictures: number, seconds: number): Promise<void>
  noteFit(work: number, seconds: number, warm: boolean): Promise<void>
}

const MIN_PICTURES = 20
const MIN_FIT_SECONDS = 0.05

/** What this machine has been measured to do; in the user-data folder, because it is the machine's and no project's. */
export function createRates(file: string): MeasuredRatesStore {
  const rates = read(file)
  let writing: Promise<void> = Promise.resolve()
  const save = (): Promise<void> => {
    writing = writing.then(async () => {
      await mkdir(dirname(file), { recursive: true })
      const beside = `${file}.${process.pid}.new`
      await writeFile(beside, `${JSON.stringify(rates, null, 2)}\n`)
      await rename(beside, file)
    })
    return writing
  }
  return {
    features: (id) => rates.features[id] ?? null,
    fit: (warm) => (warm ? (rates.warmFit ?? rates.fit) : rates.fit),
    async noteFeatures(id, pictures, seconds) {
      if (pictures < MIN_PICTURES) return
      const rate = updateRate(rates.features[id] ?? null, pictures, seconds)
      if (rate === null) return
      rates.features[id] = rate
      await save()
    },
    async noteFit(work, seconds, warm) {
      if (seconds < MIN_FIT_SECONDS) return
      const which = warm ? 'warmFit' : 'fit'
      rates[which] = updateRate(rates[which], work, seconds)
      await save()
    },
  }
}

function read(file: string): Rates {
  const none: Rates = { version: 1, features: {}, fit: null, warmFit: null }
  try {
    const parsed = ratesSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')))
    return parsed.success ? parsed.data : none
  } catch (error) {
    // Measurements come back by themselves: a missing or damaged file costs a less exact forecast.
    if (error instanceof SyntaxError || (error instanceof Error && 'code' in error)) return none
    throw error
  }
}
