/** Number of ones in 32 bits, counted in parallel (Hacker's Delight, figure 5-2). */
export function bitCount(value: number): number {
  let v = value - ((value >>> 1) & 0x55555555)
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333)
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

const PARTS = 4
const PART_VALUES = 1 << 16
/** Differing bits up to which {@link HashIndex.near} misses nothing: with eight, each of four parts may differ in two bits. */
export const MOST_BITS = 7

/** What a part is xored with: nothing, and every single bit. */
const FLIPS: readonly number[] = [0, ...Array.from({ length: 16 }, (_, bit) => 1 << bit)]

/**
 * 64-bit hashes, found by Hamming distance without looking at all of them (multi-index hashing: Norouzi, Punjani and Fleet,
 * "Fast exact search in Hamming space with multi-index hashing", TPAMI 2014). Of seven differing bits, at most one lies in
 * one at least of four parts of 16 bits: looked up are, in each part, the same value and all that differ in one bit.
 */
export class HashIndex {
  /** High and low half of each hash. */
  private readonly halves: Uint32Array
  /** For each part: where the places of a value begin, and the places ordered by value. */
  private readonly begins: Int32Array[] = []
  private readonly places: Int32Array[] = []
  private readonly seen: Int32Array
  private query = 0

  /** @param hashes each 16 hexadecimal digits */
  constructor(hashes: readonly string[]) {
    const count = hashes.length
    this.halves = new Uint32Array(2 * count)
    this.seen = new Int32Array(count).fill(-1)
    hashes.forEach((hash, i) => {
      this.halves[2 * i] = Number.parseInt(hash.slice(0, 8), 16)
      this.halves[2 * i + 1] = Number.parseInt(hash.slice(8, 16), 16)
    })
    for (let part = 0; part < PARTS; part++) {
      const begins = new Int32Array(PART_VALUES + 1)
      for (let i = 0; i < count; i++) begins[this.partOf(i, part) + 1]!++
      for (let value = 0; value < PART_VALUES; value++) begins[value + 1]! += begins[value]!
      const next = begins.slice(0, PART_VALUES)
      const places = new Int32Array(count)
      for (let i = 0; i < count; i++) places[next[this.partOf(i, part)]!++] = i
      this.begins.push(begins)
      this.places.push(places)
    }
  }

  private partOf(place: number, part: number): number {
    const half = this.halves[2 * place + (part >> 1)]!
    return part % 2 === 0 ? half >>> 16 : half & 0xffff
  }

  /**
   * Calls `found` once for every other place whose hash differs in at most `distance` bits, in no particular order.
   * @param place of the hash to compare with, as it was given @param distance 0 … {@link MOST_BITS}
   * @throws RangeError
   */
  near(place: number, distance: number, found: (place: number) => void): void {
    if (!(distance >= 0 && distance <= MOST_BITS))
      throw new RangeError(`distance must be 0 … ${MOST_BITS}, got ${distance}`)
    const [high, low] = [this.halves[2 * place]!, this.halves[2 * place + 1]!]
    const query = this.query++
    this.seen[place] = query
    for (let part = 0; part < PARTS; part++) {
      const own = this.partOf(place, part)
      const begins = this.begins[part]!
      const places = this.places[part]!
      for (const flip of FLIPS) {
        const value = own ^ flip
        for (let at = begins[value]!, end = begins[value + 1]!; at < end; at++) {
          const other = places[at]!
          const bits = bitCount(this.halves[2 * other]! ^ high) + bitCount(this.halves[2 * other + 1]! ^ low)
          if (bits > distance || this.seen[other] === query) continue
          this.seen[other] = query
          found(other)
        }
      }
    }
  }
}
