/**
 * The ICC profile of a HEIC file, which libheif's JavaScript door does not hand out: the `colr` box of type `prof` in
 * the item properties (ISO/IEC 14496-12, 12.1.5).
 * @returns null when there is none that can be followed
 */
export function heicProfile(bytes: Uint8Array): Uint8Array | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const found = findBox(view, 0, bytes.length, ['meta', 'iprp', 'ipco', 'colr'])
  if (found === null || found.end - found.start < 4 + 128 || text(view, found.start) !== 'prof') return null
  const profile = bytes.subarray(found.start + 4, found.end)
  // "acsp" is the signature of every ICC profile.
  return text(new DataView(profile.buffer, profile.byteOffset, profile.byteLength), 36) === 'acsp'
    ? profile
    : null
}

const text = (view: DataView, at: number): string =>
  String.fromCharCode(view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3))

/** Content of the first box along a path of types; `colr` boxes of other kinds (nclx) are passed over. */
function findBox(
  view: DataView,
  from: number,
  to: number,
  path: string[],
): { start: number; end: number } | null {
  const [wanted, ...rest] = path
  let at = from
  while (at + 8 <= to) {
    const short = view.getUint32(at)
    const long = short === 1 && at + 16 <= to
    const size = long ? Number(view.getBigUint64(at + 8)) : short === 0 ? to - at : short
    const head = long ? 16 : 8
    if (size < head || at + size > to) return null
    if (text(view, at + 4) === wanted) {
      // `meta` is a full box: version and flags come before its children.
      const start = at + head + (wanted === 'meta' ? 4 : 0)
      const end = at + size
      if (rest.length > 0) return findBox(view, start, end, rest)
      if (wanted !== 'colr' || (end - start >= 4 && text(view, start) === 'prof')) return { start, end }
    }
    at += size
  }
  return null
}

/**
 * Pixels with their colour profile as an uncompressed TIFF (TIFF 6.0; tag 34675 for the profile), so that libvips can
 * be given both at once.
 * @param rgb uint8 `[height, width, 3]`
 */
export function wrapAsTiff(rgb: Uint8Array, width: number, height: number, profile: Uint8Array): Uint8Array {
  const SHORT = 3
  const LONG = 4
  const UNDEFINED = 7
  const entryCount = 11
  const directory = 8
  const bitsAt = directory + 2 + entryCount * 12 + 4
  const profileAt = bitsAt + 6
  const pixelsAt = profileAt + profile.length + (profile.length & 1)
  const file = new Uint8Array(pixelsAt + rgb.length)
  const view = new DataView(file.buffer)
  // "II", 42, first directory.
  view.setUint32(0, 0x49492a00)
  view.setUint32(4, directory, true)
  const entries: [tag: number, type: number, count: number, value: number][] = [
    [256, LONG, 1, width],
    [257, LONG, 1, height],
    [258, SHORT, 3, bitsAt],
    [259, SHORT, 1, 1],
    [262, SHORT, 1, 2],
    [273, LONG, 1, pixelsAt],
    [277, SHORT, 1, 3],
    [278, LONG, 1, height],
    [279, LONG, 1, rgb.length],
    [284, SHORT, 1, 1],
    [34675, UNDEFINED, profile.length, profileAt],
  ]
  view.setUint16(directory, entryCount, true)
  entries.forEach(([tag, type, count, value], index) => {
    const at = directory + 2 + index * 12
    view.setUint16(at, tag, true)
    view.setUint16(at + 2, type, true)
    view.setUint32(at + 4, count, true)
    if (type === SHORT && count === 1) view.setUint16(at + 8, value, true)
    else view.setUint32(at + 8, value, true)
  })
  for (let i = 0; i < 3; i++) view.setUint16(bitsAt + i * 2, 8, true)
  file.set(profile, profileAt)
  file.set(rgb, pixelsAt)
  return file
}
