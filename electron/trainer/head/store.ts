import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { headObjectives } from '#shared/contract/trainer.ts'
import type { HeadObjective } from '#shared/contract/trainer.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { HeadFit, WarmStart } from './fit.ts'
import type { FoldsResult, WarmFolds } from './folds.ts'
import { fromRaw, toRaw, type FeatureScaling } from './scaling.ts'

/**
 * `head.json` + `head.bin`: everything a later fit needs to start warm. The JSON describes and points, the other file
 * holds the numbers (little-endian), one array after the other.
 */

const numberTypes = { float32: 4, float64: 8, int32: 4, uint8: 1 } as const
const arraySchema = z.object({
  name: z.string(),
  type: z.enum(['float32', 'float64', 'int32', 'uint8']),
  /** Bytes from the start of head.bin, a multiple of 8. */
  offset: z.int().min(0),
  length: z.int().min(0),
})
const headFileSchema = z.object({
  version: z.literal(1),
  classes: z.array(z.string()).min(2),
  featureLength: z.int().positive(),
  backboneSha256: z.string(),
  /** Its numbers are those of this objective. Files from before there was a choice do not say it. */
  objective: z.enum(headObjectives).default('softmax'),
  seed: z.int(),
  chosenStrength: z.number(),
  strengths: z.array(z.number()),
  folds: z.int().min(0),
  arrays: z.array(arraySchema),
})
export type HeadFile = z.infer<typeof headFileSchema>

/** Fold parameters are left out above this size: starting warm is not worth a run folder of hundreds of megabytes. */
const MAX_FOLD_BYTES = 64 * 1024 * 1024
/** Up to this share of changed labels and pictures counts as a small change. */
const SMALL_CHANGE = 0.02

export interface SavedHead {
  classes: readonly string[]
  featureLength: number
  backboneSha256: string
  objective: HeadObjective
  seed: number
  scaling: FeatureScaling
  fit: HeadFit
  /** SHA-256 and label of the rows that took part in the fit. */
  keys: readonly string[]
  labels: Int32Array
  folds: FoldsResult | null
}

export async function saveHead(folder: string, head: SavedHead): Promise<void> {
  const arrays = new ArrayWriter()
  arrays.add('mean', head.scaling.mean)
  arrays.add('factor', head.scaling.factor)
  arrays.add('final', Float32Array.from(head.fit.final))
  arrays.add('selection', Float32Array.from(head.fit.selection))
  // One cut only: parameters of inner folds are not worth keeping.
  const single = head.fit.tried.filter(({ points }) => points.length === 1)
  for (const { strength, points } of single) arrays.add(`strength ${strength}`, Float32Array.from(points[0]!))
  arrays.add('keys', new Uint8Array(Buffer.from(head.keys.join(''), 'hex')))
  arrays.add('labels', head.labels)
  if (head.folds) {
    arrays.add('folds', head.folds.fold)
    const count = head.folds.inner.reduce((sum, inner) => sum + inner.size + 1, 0)
    if (count * head.fit.final.length * 4 <= MAX_FOLD_BYTES) {
      head.folds.outer.forEach((point, fold) => {
        arrays.add(`fold ${fold}`, Float32Array.from(point))
        for (const [strength, inner] of head.folds!.inner[fold]!)
          arrays.add(`fold ${fold} strength ${strength}`, Float32Array.from(inner))
      })
    }
  }
  const file: HeadFile = {
    version: 1,
    classes: [...head.classes],
    featureLength: head.featureLength,
    backboneSha256: head.backboneSha256,
    objective: head.objective,
    seed: head.seed,
    chosenStrength: head.fit.chosen,
    strengths: head.fit.tried.map(({ strength }) => strength),
    folds: head.folds?.outer.length ?? 0,
    arrays: arrays.described,
  }
  await writeFile(join(folder, 'head.bin'), arrays.bytes())
  await writeFile(join(folder, 'head.json'), `${JSON.stringify(file, null, 1)}\n`)
}

export interface EarlierHead {
  file: HeadFile
  array(name: string): Float64Array | null
  foldOf: Map<string, number>
  labelOf: Map<string, number>
  scaling: FeatureScaling
}

/** @throws KestrelError `model-unreadable` when the files are damaged; file system errors when they are missing. */
export async function loadHead(folder: string): Promise<EarlierHead> {
  const file = headFileSchema.safeParse(JSON.parse(await readFile(join(folder, 'head.json'), 'utf8')))
  if (!file.success) throw damaged(file.error)
  const bytes = await readFile(join(folder, 'head.bin'))
  const arrays = new Map(file.data.arrays.map((entry) => [entry.name, entry]))
  const raw = (name: string): Uint8Array | null => {
    const entry = arrays.get(name)
    if (!entry) return null
    const end = entry.offset + entry.length * numberTypes[entry.type]
    if (end > bytes.length) throw damaged(new Error(`head.bin ends before "${name}"`))
    // Copied, so that every view below stands aligned.
    return Uint8Array.prototype.slice.call(bytes, entry.offset, end)
  }
  const array = (name: string): Float64Array | null => {
    const found = raw(name)
    if (!found) return null
    const { type } = arrays.get(name)!
    if (type === 'float64') return new Float64Array(found.buffer)
    if (type === 'float32') return Float64Array.from(new Float32Array(found.buffer))
    return type === 'int32' ? Float64Array.from(new Int32Array(found.buffer)) : Float64Array.from(found)
  }
  const [mean, factor] = [array('mean'), array('factor')]
  if (mean?.length !== file.data.featureLength || factor?.length !== file.data.featureLength)
    throw damaged(new Error('the scaling is missing'))
  const keyBytes = Buffer.from(raw('keys') ?? new Uint8Array())
  const keys = Array.from({ length: keyBytes.length / 32 }, (_, row) =>
    keyBytes.toString('hex', row * 32, (row + 1) * 32),
  )
  const byKey = (name: string): Map<string, number> => {
    const values = array(name)
    return new Map(values ? keys.map((key, row) => [key, values[row]!]) : [])
  }
  return {
    file: file.data,
    array,
    scaling: { mean, factor },
    labelOf: byKey('labels'),
    foldOf: byKey('folds'),
  }
}

const damaged = (cause: unknown): KestrelError =>
  new KestrelError('model-unreadable', 'The files of an earlier training are damaged.', {
    remedy: 'Train again.',
    cause,
  })

/**
 * Parameters of an earlier run, moved to the present scale of the features.
 * @returns null when it had other classes, another backbone or another objective.
 */
export function warmStartFrom(
  earlier: EarlierHead,
  present: {
    classes: readonly string[]
    backboneSha256: string
    objective: HeadObjective
    scaling: FeatureScaling
    keys: readonly string[]
    labels: Int32Array
    folds: number
  },
): { head: WarmStart; folds: WarmFolds | null } | null {
  const { file } = earlier
  const sameClasses =
    file.classes.length === present.classes.length &&
    file.classes.every((name, c) => name === present.classes[c])
  if (!sameClasses || file.backboneSha256 !== present.backboneSha256) return null
  // The weights of an SVM are of another size than those of a softmax: a start from there would be a detour.
  if (file.objective !== present.objective) return null
  const length = file.classes.length * (file.featureLength + 1)
  const moved = (name: string): Float64Array | null => {
    const point = earlier.array(name)
    return point?.length === length ? fromRaw(toRaw(point, earlier.scaling), present.scaling) : null
  }
  const byStrength = (prefix: string): Map<number, Float64Array> => {
    const found = new Map<number, Float64Array>()
    for (const strength of file.strengths) {
      const point = moved(`${prefix}strength ${strength}`)
      if (point) found.set(strength, point)
    }
    return found
  }
  const final = moved('final')
  if (!final) return null
  let changed = Math.max(0, earlier.labelOf.size - new Set(present.keys).size)
  present.keys.forEach((key, row) => {
    if (earlier.labelOf.get(key) !== present.labels[row]) changed += 1
  })
  const smallChange = changed <= SMALL_CHANGE * present.keys.length
  const head: WarmStart = { final, byStrength: byStrength(''), smallChange }
  if (file.folds === 0 || file.folds !== present.folds) return { head, folds: null }
  const outer: Float64Array[] = []
  const inner: Map<number, Float64Array>[] = []
  for (let fold = 0; fold < file.folds; fold++) {
    const point = moved(`fold ${fold}`)
    if (!point) return { head, folds: null }
    outer.push(point)
    inner.push(foldStrengths(earlier, fold, moved))
  }
  return { head, folds: { k: file.folds, foldOf: earlier.foldOf, outer, inner, smallChange } }
}

function foldStrengths(
  earlier: EarlierHead,
  fold: number,
  moved: (name: string) => Float64Array | null,
): Map<number, Float64Array> {
  const prefix = `fold ${fold} strength `
  const found = new Map<number, Float64Array>()
  for (const { name } of earlier.file.arrays) {
    if (!name.startsWith(prefix)) continue
    const point = moved(name)
    if (point) found.set(Number(name.slice(prefix.length)), point)
  }
  return found
}

class ArrayWriter {
  readonly described: HeadFile['arrays'] = []
  private readonly parts: Uint8Array[] = []
  private offset = 0

  add(name: string, data: Float32Array | Float64Array | Int32Array | Uint8Array): void {
    const type =
      data instanceof Float32Array
        ? 'float32'
        : data instanceof Float64Array
          ? 'float64'
          : data instanceof Int32Array
            ? 'int32'
            : 'uint8'
    this.described.push({ name, type, offset: this.offset, length: data.length })
    this.parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    const padding = (8 - (data.byteLength % 8)) % 8
    if (padding > 0) this.parts.push(new Uint8Array(padding))
    this.offset += data.byteLength + padding
  }

  bytes(): Uint8Array {
    return Buffer.concat(this.parts)
  }
}
