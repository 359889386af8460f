/**
 * Seeded randomness. Nothing in Kestrel draws numbers any other way, so that the same project, seed and engine give the
 * same split, the same augmentation and the same first weights.
 */

export interface Random {
  /** A whole number in [0, 2^32). */
  uint32(): number
  /** A number in [0, 1) with 53 random bits. */
  float(): number
  /** A whole number in [0, limit), without modulo bias. `limit` is a whole number from 1 to 2^32. @throws RangeError */
  below(limit: number): number
  /** A number from the normal distribution with this mean and standard deviation (0 and 1 when left out). */
  normal(mean?: number, deviation?: number): number
}

const encoder = new TextEncoder()
const rotateLeft = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits))

/**
 * MurmurHash3, x86 32-bit variant, of the UTF-8 bytes of a text.
 * Source of the algorithm: Austin Appleby, MurmurHash3.cpp (public domain). Not for secrets.
 * @param seed any integer; its low 32 bits count.
 * @returns a whole number in [0, 2^32).
 */
export function hash32(text: string, seed = 0): number {
  const bytes = encoder.encode(text)
  const blocks = bytes.length >>> 2
  let h = seed | 0
  for (let block = 0; block < blocks; block++) {
    const at = block * 4
    const k = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    h = Math.imul(rotateLeft(h ^ scramble(k), 13), 5) + 0xe6546b64
  }
  let tail = 0
  for (let at = bytes.length - 1; at >= blocks * 4; at--) tail = (tail << 8) | bytes[at]!
  h ^= scramble(tail) ^ bytes.length
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

const scramble = (k: number): number => Math.imul(rotateLeft(Math.imul(k, 0xcc9e2d51), 15), 0x1b873593)

/**
 * The generator sfc32 ("small fast counting", Chris Doty-Humphrey, PractRand 0.95; public domain), seeded as there:
 * words b and c from the seed, then twelve rounds thrown away.
 * @param seed any safe integer.
 * @param stream names an independent sequence of the same seed: 'weights', 'shuffle', 'fold 3' …
 */
export function createRandom(seed: number, stream = ''): Random {
  let a = 0
  let b = seed | 0
  let c = (Math.floor(seed / 2 ** 32) | 0) ^ (stream === '' ? 0 : hash32(stream, 0x9e3779b9))
  let counter = 1

  const uint32 = (): number => {
    const result = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (rotateLeft(c, 21) + result) | 0
    return result >>> 0
  }
  for (let round = 0; round < 12; round++) uint32()

  const float = (): number => ((uint32() >>> 5) * 2 ** 26 + (uint32() >>> 6)) / 2 ** 53

  const below = (limit: number): number => {
    if (!Number.isInteger(limit) || limit < 1 || limit > 2 ** 32)
      throw new RangeError(`limit must be a whole number from 1 to 2^32, got ${limit}`)
    // Numbers above the largest multiple of `limit` would favour small results: draw again.
    const usable = 2 ** 32 - (2 ** 32 % limit)
    for (;;) {
      const drawn = uint32()
      if (drawn < usable) return drawn % limit
    }
  }

  let spare: number | null = null
  /** Marsaglia's polar method (Marsaglia and Bray 1964): two numbers at a time, one is kept for the next call. */
  const standardNormal = (): number => {
    if (spare !== null) {
      const kept = spare
      spare = null
      return kept
    }
    for (;;) {
      const x = 2 * float() - 1
      const y = 2 * float() - 1
      const square = x * x + y * y
      if (square === 0 || square >= 1) continue
      const scale = Math.sqrt((-2 * Math.log(square)) / square)
      spare = y * scale
      return x * scale
    }
  }

  return { uint32, float, below, normal: (mean = 0, deviation = 1) => mean + deviation * standardNormal() }
}

/** A shuffled copy; every order is equally likely (Fisher–Yates, Durstenfeld's form). */
export function shuffle<T>(random: Random, items: readonly T[]): T[] {
  const shuffled = [...items]
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = random.below(last + 1)
    const kept = shuffled[last]!
    shuffled[last] = shuffled[other]!
    shuffled[other] = kept
  }
  return shuffled
}

/** One item, each equally likely. @throws RangeError when there is none. */
export function choice<T>(random: Random, items: readonly T[]): T {
  if (items.length === 0) throw new RangeError('cannot choose from nothing')
  return items[random.below(items.length)]!
}

/** `count` different items in random order, or all of them when there are fewer. */
export function sample<T>(random: Random, items: readonly T[], count: number): T[] {
  return shuffle(random, items).slice(0, Math.max(0, count))
}
