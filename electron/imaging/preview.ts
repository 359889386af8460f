import { readHeader } from './header.ts'
import { readBytes } from './read-bytes.ts'
import { encodeForEye, renderSmall, type EncodedPicture } from './small-picture.ts'
import { requireFormat } from './sniff.ts'

const PREVIEW_QUALITY = 88

/**
 * A picture of any readable format for the big preview: upright, sRGB, flattened on white (as the network sees it), in a
 * format every browser shows.
 *
 * @param maxEdge longest edge in pixels; smaller pictures keep their size
 * @throws KestrelError as `readForImport`
 */
export async function renderPreview(path: string, maxEdge = 2048): Promise<EncodedPicture> {
  const bytes = await readBytes(path)
  const header = await readHeader(bytes, requireFormat(bytes))
  return encodeForEye(await renderSmall(bytes, header, maxEdge), PREVIEW_QUALITY)
}
