import sharp, { type Sharp } from 'sharp'

/**
 * Test pictures. The scene has a different colour in every corner, so that any wrong turn or mirroring shows:
 * red top left, green top right, blue bottom left, white bottom right.
 */
export const corners = {
  topLeft: [200, 30, 30],
  topRight: [30, 180, 30],
  bottomLeft: [30, 30, 200],
  bottomRight: [235, 235, 235],
} as const

/** uint8 `[height, width, 3]` */
export function scene(width: number, height: number): Uint8Array {
  const data = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const left = x < width / 2
      const top = y < height / 2
      const colour = top
        ? left
          ? corners.topLeft
          : corners.topRight
        : left
          ? corners.bottomLeft
          : corners.bottomRight
      // A little texture, so that nothing is called uniform or blurred.
      const texture = ((x >> 2) + (y >> 2)) % 2 === 0 ? 0 : -20
      for (let c = 0; c < 3; c++) data[(y * width + x) * 3 + c] = colour[c]! + texture
    }
  }
  return data
}

export const sceneImage = (width: number, height: number): Sharp =>
  sharp(scene(width, height), { raw: { width, height, channels: 3 } })

/** The colour in the middle of a quarter of an RGB picture. */
export function quarter(
  picture: { data: Uint8Array; width: number; height: number },
  place: keyof typeof corners,
): number[] {
  const x = Math.floor(picture.width * (place.endsWith('Left') ? 0.25 : 0.75))
  const y = Math.floor(picture.height * (place.startsWith('top') ? 0.25 : 0.75))
  const at = (y * picture.width + x) * 3
  return [...picture.data.subarray(at, at + 3)]
}

/** Whether all four corners are where they belong, within `tolerance` per channel. */
export function isUpright(
  picture: { data: Uint8Array; width: number; height: number },
  tolerance = 30,
): boolean {
  return (Object.keys(corners) as (keyof typeof corners)[]).every((place) =>
    quarter(picture, place).every((value, c) => Math.abs(value - corners[place][c]!) <= tolerance),
  )
}

/**
 * The pixels as a camera stores them for an EXIF orientation, straight from the standard's table (CIPA DC-008, 4.6.4):
 * which visual side the first row and the first column are.
 * @param width visual size
 */
export function storedFor(
  orientation: number,
  width: number,
  height: number,
): { data: Uint8Array; width: number; height: number } {
  const upright = scene(width, height)
  const swap = orientation >= 5
  const storedWidth = swap ? height : width
  const storedHeight = swap ? width : height
  const rowFromEnd = [3, 4, 6, 7].includes(orientation)
  const columnFromEnd = [2, 3, 7, 8].includes(orientation)
  const data = new Uint8Array(upright.length)
  for (let row = 0; row < storedHeight; row++) {
    for (let column = 0; column < storedWidth; column++) {
      const alongRow = rowFromEnd ? storedHeight - 1 - row : row
      const alongColumn = columnFromEnd ? storedWidth - 1 - column : column
      const [x, y] = swap ? [alongRow, alongColumn] : [alongColumn, alongRow]
      const from = (y * width + x) * 3
      data.set(upright.subarray(from, from + 3), (row * storedWidth + column) * 3)
    }
  }
  return { data, width: storedWidth, height: storedHeight }
}

/** `storedFor` as a sharp pipeline; `.withMetadata({ orientation })` tags it. */
export function storedImage(orientation: number, width: number, height: number): Sharp {
  const { data, ...size } = storedFor(orientation, width, height)
  return sharp(data, { raw: { ...size, channels: 3 } })
}
