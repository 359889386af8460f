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
