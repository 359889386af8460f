import { mkdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import sharp from 'sharp'

export interface DrawOptions {
  width?: number
  height?: number
  format?: 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff' | 'avif'
}

/** A small picture whose content follows from `seed`: two pictures are equal only when their seeds are. */
export async function draw(seed: number, options: DrawOptions = {}): Promise<Buffer> {
  const { width = 96, height = 72, format = 'jpeg' } = options
  const hue = (seed * 47) % 360
  const x = 20 + ((seed * 31) % 50)
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 72" width="${width}" height="${height}">
    <rect width="96" height="72" fill="hsl(${hue},60%,55%)"/>
    <circle cx="${x}" cy="${10 + ((seed * 13) % 50)}" r="${6 + (seed % 14)}" fill="hsl(${(hue + 150) % 360},70%,40%)"/>
    <path d="M0 ${(seed * 17) % 72} L96 ${(seed * 29) % 72}" stroke="black" stroke-width="3"/>
    <text x="4" y="68" font-size="9">${seed}</text></svg>`
  return sharp(Buffer.from(svg)).toFormat(format).toBuffer()
}

/** Files below `folder`: relative path → seed, or bytes as they are. */
export async function writeTree(folder: string, tree: Record<string, number | Uint8Array>): Promise<string> {
  for (const [path, content] of Object.entries(tree)) {
    const target = join(folder, ...path.split('/'))
    mkdirSync(dirname(target), { recursive: true })
    await writeFile(target, typeof content === 'number' ? await draw(content) : content)
  }
  return folder
}
