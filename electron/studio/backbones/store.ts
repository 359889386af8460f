import { randomUUID } from 'node:crypto'
import { cp, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { preprocessingSchema } from '#shared/domain/preprocessing/definition.ts'
import { jsonOrUndefined } from '#shared/util/json.ts'
import { backboneId } from './catalogue.ts'
import { hashFile } from './hash-file.ts'

/** Grows when the conversion to ONNX gives other numbers: what was prepared before is then prepared anew. */
export const PREPARED_BY = 3

export const backboneInfoSchema = z.object({
  version: z.literal(1),
  id: backboneId,
  name: z.string(),
  words: z.string(),
  architecture: z.string(),
  origin: z.enum(['folder', 'built-in', 'catalogue', 'added']),
  licence: z.string(),
  featureLength: z.int().positive(),
  featureLayer: z.string(),
  parameters: z.int().min(0),
  preprocessing: preprocessingSchema,
  /** File as it came, in the same folder; its name where it stays where it is. */
  original: z.string().regex(/^[^/\\]+$/),
  /** Not copied: the file lies in a folder of the person's own, and is offered as long as it lies there. */
  inPlace: z.boolean().default(false),
  originalBytes: z.int().min(0),
  originalSha256: z.string(),
  preparedBy: z.int(),
  preparedSha256: z.string(),
})
export type BackboneInfo = z.infer<typeof backboneInfoSchema>

export interface StoredBackbone {
  info: BackboneInfo
  /** Why it cannot be used; null when it can. */
  problem: string | null
}

const infoFile = 'info.json'
const preparedFile = 'prepared.onnx'

export type BackboneStore = ReturnType<typeof createBackboneStore>

/** `<home>/backbones/<id>/`: the original, the prepared ONNX file and info.json. A folder is complete or absent. */
export function createBackboneStore(folder: string) {
  const folderOf = (id: string): string => join(folder, backboneId.parse(id))
  const originalPath = (info: BackboneInfo): string => join(folderOf(info.id), info.original)
  const aside = join(folder, '.new')

  async function read(id: string): Promise<StoredBackbone | { id: string; problem: string } | null> {
    // Ids also come from calls: what is no id names no backbone.
    if (!backboneId.safeParse(id).success) return null
    let text: string
    try {
      text = await readFile(join(folderOf(id), infoFile), 'utf8')
    } catch (error) {
      if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
        return null
      throw error
    }
    const parsed = backboneInfoSchema.safeParse(jsonOrUndefined(text))
    if (!parsed.success || parsed.data.id !== id)
      return { id, problem: 'Its description in the backbone store is damaged. Remove it and add it again.' }
    return { info: parsed.data, problem: await problemOf(parsed.data) }
  }

  async function problemOf(info: BackboneInfo): Promise<string | null> {
    if (info.preparedBy !== PREPARED_BY) return 'It was prepared by another version of Kestrel.'
    const hash = await hashFile(join(folderOf(info.id), preparedFile), 'sha256').catch((error: unknown) => {
      if (error instanceof Error && 'code' in error) return null
      throw error
    })
    return hash === info.preparedSha256 ? null : 'Its prepared file is damaged.'
  }

  return {
    folder,
    read,
    preparedPath: (id: string): string => join(folderOf(id), preparedFile),
    originalPath,
    /** Whether it could be prepared anew. */
    async originalIsWhole(info: BackboneInfo): Promise<boolean> {
      try {
        return (await hashFile(originalPath(info), 'sha256')) === info.originalSha256
      } catch (error) {
        if (error instanceof Error && 'code' in error) return false
        throw error
      }
    },
    /** Ids of all folders of the store. */
    async ids(): Promise<string[]> {
      await mkdir(folder, { recursive: true })
      const entries = await readdir(folder, { withFileTypes: true })
      return entries
        .filter((entry) => entry.isDirectory() && backboneId.safeParse(entry.name).success)
        .map((entry) => entry.name)
        .sort()
    },
    /**
     * Puts a backbone in, all at once.
     * @param files the original, then what belongs to it; copied under their own names. None: it stays where it is.
     * @param write makes the prepared file and says the rest.
     */
    async put(
      files: readonly string[],
      write: (draft: { original: string; prepared: string }) => Promise<BackboneInfo>,
    ): Promise<BackboneInfo> {
      const draft = join(aside, `${process.pid}-${randomUUID()}`)
      await mkdir(draft, { recursive: true })
      try {
        const [original = '', ...others] = files.map((file) => join(draft, safeName(basename(file))))
        const copies = [original, ...others]
        for (const [index, file] of files.entries()) await cp(file, copies[index]!)
        const info = await write({ original, prepared: join(draft, preparedFile) })
        await writeFile(join(draft, infoFile), `${JSON.stringify(info, null, 2)}\n`)
        // Another process may put the same one in at the same time; the later one replaces a whole by a whole.
        const target = folderOf(info.id)
        await rm(target, { recursive: true, force: true })
        await rename(draft, target)
        return info
      } finally {
        await rm(draft, { recursive: true, force: true })
      }
    },
    async remove(id: string): Promise<void> {
      await rm(folderOf(id), { recursive: true, force: true })
    },
  }
}

/** Keeps the ending, which some readers look at; the rest is for the eye. */
const safeName = (name: string): string => {
  const cleaned = name.replaceAll(/[^A-Za-z0-9._-]/g, '_').slice(-80)
  return /^(prepared\.onnx|info\.json|\.*)$/.test(cleaned) ? `original-${cleaned}` : cleaned
}
