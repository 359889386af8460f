import { z } from 'zod'

/**
 * Addresses of pictures and files behind the door. Always by id, never by path. GET only; answered with the right
 * content type, `nosniff` and a private cache header. All are relative to the page's origin.
 */
const part = encodeURIComponent

/** Pictures one `thumbnails` address may name. */
export const mostThumbnails = 128

export const mediaUrl = {
  /** Thumbnail, longest edge 320 px. */
  thumbnail: (projectId: string, pictureId: number) => `/media/${part(projectId)}/thumb/${pictureId}`,
  /**
   * The thumbnails of up to `mostThumbnails` pictures in one answer, in the order asked for (`shared/util/pack.ts`; null:
   * cannot be shown). A line of the grid asks once: a request for each tile costs more than the pictures in it.
   */
  thumbnails: (projectId: string, pictureIds: readonly number[]) =>
    `/media/${part(projectId)}/thumbs/${pictureIds.join(',')}`,
  /** Large, upright, in a format every browser shows; longest edge at most 2048 px. */
  preview: (projectId: string, pictureId: number) => `/media/${part(projectId)}/preview/${pictureId}`,
  /** Picture `index` (0–5) of a recent project's strip; works while the project is closed. */
  recentStrip: (projectId: string, index: number) => `/media/recent/${part(projectId)}/${index}`,
  /** A picture given to the model in Use. */
  prediction: (projectId: string, predictionId: string) =>
    `/media/${part(projectId)}/prediction/${part(predictionId)}`,
  /** The same picture with 320 px at most, for lists. */
  predictionThumbnail: (projectId: string, predictionId: string) =>
    `/media/${part(projectId)}/prediction/${part(predictionId)}/thumb`,
  /** Table of a folder prediction as CSV (download). */
  predictionsCsv: (projectId: string, jobId: string) =>
    `/media/${part(projectId)}/predictions/${part(jobId)}.csv`,
  /** The pictures of a folder prediction in one folder per label, as zip (download). */
  predictionsSorted: (projectId: string, jobId: string) =>
    `/media/${part(projectId)}/sorted/${part(jobId)}.zip`,
  /** An export as zip (download). */
  exportZip: (projectId: string, exportId: string) =>
    `/media/${part(projectId)}/export/${part(exportId)}.zip`,
  /** Diagnostics as zip (download). */
  diagnostics: () => '/media/diagnostics.zip',
}

/** What the path of a sent file may have at most, in characters and in folders with the file itself. */
export const mostUploadPath = 1_000
export const mostUploadDepth = 30
/** Of one sent file. A zip of a whole dataset is one; pictures are far below. */
export const mostUploadBytes = 8 * 1024 ** 3

/** A file or folder of a drop that the page could not send: it is listed with what could not be read. */
export const notSentSchema = z.object({
  path: z.string().min(1).max(100_000),
  /** `gone`: not there any more. `unreadable`: the browser may not read it. The others: see the limits above. */
  why: z.enum(['gone', 'unreadable', 'too-long', 'too-large']),
})
export type NotSent = z.infer<typeof notSentSchema>

/**
 * Upload (browser mode, pasted and camera pictures): `POST /upload` answers `{ token }`; then one
 * `PUT /upload/TOKEN?path=relative%2Fname.jpg` per file with the bytes as body. A file that is refused is left out and
 * remembered with its reason. The token is then a source like any other.
 */
export const uploadUrl = {
  begin: () => '/upload',
  /** `POST` with a {@link notSentSchema}; answers `{ message }`, the reason in words. */
  notSent: (token: string) => `/upload/${part(token)}/not-sent`,
  file: (token: string, relativePath: string) => `/upload/${part(token)}?path=${part(relativePath)}`,
}
