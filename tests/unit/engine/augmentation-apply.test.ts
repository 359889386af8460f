import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { applyAugmentation, type Scaling } from '#imaging/augment/index.ts'
import {
  drawAugmentation,
  noAugmentation,
  noColourChange,
  noGeometry,
  pictureRandom,
  presetAugmentation,
  samplingMatrix,
  type AugmentationDraw,
  type ColourChange,
  type Geometry,
  type Size,
} from '#shared/domain/augmentation/index.ts'
import { tensorFromResized, type Preprocessing } from '#shared/domain/preprocessing/index.ts'
import { createRandom } from '#shared/domain/random.ts'

const unscaled: Scaling = { mean: [0, 0, 0], divisor: [1, 1, 1], channelOrder: 'RGB' }
const SIZE = { width: 16, height: 16 }

const noisePicture = ({ width, height }: Size = SIZE, seed = 1): Uint8Array => {
  const random = createRandom(seed)
  return Uint8Array.from({ length: 3 * width * height }, () => random.below(256))
}
/** Black but for some pixels [x, y], which are white. */
const dots = (...places: [number, number][]): Uint8Array => {
  const picture = new Uint8Array(3 * 256)
  for (const [x, y] of places)
    for (let channel = 0; channel < 3; channel++) picture[channel * 256 + y * 16 + x] = 255
  return picture
}
const plain = (red: number, green: number, blue: number): Uint8Array =>
  Uint8Array.from({ length: 3 * 256 }, (_, at) => [red, green, blue][Math.floor(at / 256)]!)

function apply(
  picture: Uint8Array,
  draw: Partial<AugmentationDraw>,
  { scaling = unscaled, size = SIZE, from = size }: { scaling?: Scaling; size?: Size; from?: Size } = {},
): Float32Array {
  const target = new Float32Array(3 * size.width * size.height)
  applyAugmentation({ data: picture, offset: 0, size: from }, { ...noAugmentation, ...draw }, scaling, {
    data: target,
    offset: 0,
    size,
  })
  return target
}
const move = (
  picture: Uint8Array,
  geometry: Partial<Geometry>,
  more: Partial<AugmentationDraw> = {},
): Float32Array => apply(picture, { geometry: { ...noGeometry, ...geometry }, ...more })
const tint = (picture: Uint8Array, colour: Partial<ColourChange>): Float32Array =>
  apply(picture, { colour: { ...noColourChange, ...colour } })

const at = (planes: Float32Array, x: number, y: number, channel = 0): number =>
  planes[channel * 256 + y * 16 + x]!
/** Where the light is: its middle, and how much there is. */
function light(planes: Float32Array): { x: number; y: number; sum: number } {
  let [x, y, sum] = [0, 0, 0]
  for (let i = 0; i < 256; i++) {
    sum += planes[i]!
    x += (i % 16) * planes[i]!
    y += Math.floor(i / 16) * planes[i]!
  }
  return { x: x / sum, y: y / sum, sum: sum / 255 }
}
const close = (a: Float32Array, b: ArrayLike<number>, tolerance = 1e-3): void => {
  let largest = 0
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!))
  expect(largest).toBeLessThanOrEqual(tolerance)
}

describe('a draw that changes nothing', () => {
  it.each(['RGB', 'BGR'] as const)('gives the very numbers of the preprocessing (%s)', (channelOrder) => {
    const size = { width: 12, height: 9 }
    const definition: Preprocessing = {
      version: 1,
      size,
      fit: 'stretch',
      filter: 'pillow-bilinear',
      background: [0, 0, 0],
      mean: [123.675, 116.28, 103.53],
      divisor: [58.395, 57.12, 57.375],
      channelOrder,
      jpegScaledDecode: false,
    }
    const picture = noisePicture(size)
    const interleaved = Uint8Array.from(picture, (_, i) => picture[(i % 3) * 108 + Math.floor(i / 3)]!)
    const expected = tensorFromResized(interleaved, definition)
    expect(apply(picture, {}, { scaling: definition, size })).toEqual(expected)
    // The long way, through a change too small to see, must agree as well.
    const long = apply(
      picture,
      { colour: { ...noColourChange, brightness: 1e-9 } },
      { scaling: definition, size },
    )
    close(long, expected, 1e-5)
  })

  it('writes its own place in a batch and nothing else', () => {
    const source = new Uint8Array(2 * 768).fill(9)
    source.set(plain(10, 20, 30), 768)
    const target = new Float32Array(3 * 768).fill(-7)
    const draw = drawAugmentation(createRandom(3), presetAugmentation('strong'))
    applyAugmentation({ data: source, offset: 768, size: SIZE }, draw, unscaled, {
      data: target,
      offset: 768,
      size: SIZE,
    })
    expect(target.subarray(0, 768).every((value) => value === -7)).toBe(true)
    expect(target.subarray(1536).every((value) => value === -7)).toBe(true)
    expect(target.subarray(768, 1536).some((value) => value === -7)).toBe(false)
  })
})

describe('any draw', () => {
  const sizes = fc.record({ width: fc.integer({ min: 1, max: 20 }), height: fc.integer({ min: 1, max: 20 }) })

  it('gives finite numbers within black and white', () => {
    fc.assert(
      fc.property(sizes, sizes, fc.nat(1000), (size, from, seed) => {
        const strong = presetAugmentation('strong')
        const always = Object.fromEntries(
          Object.entries(strong).map(([name, value]) => [
            name,
            typeof value === 'object' && 'probability' in value ? { ...value, probability: 0.7 } : value,
          ]),
        ) as typeof strong
        const draw = drawAugmentation(createRandom(seed), { ...always, border: seed % 2 ? 'fill' : 'repeat' })
        const values = apply(noisePicture(from, seed), draw, { size, from })
        expect(values.every((value) => value >= 0 && value <= 255)).toBe(true)
      }),
      { numRuns: 300, seed: 5 },
    )
  })

  it('leaves a grey picture grey', () => {
    const grey = noisePicture().fill(0)
    const random = createRandom(4)
    for (let i = 0; i < 256; i++) grey[i] = grey[256 + i] = grey[512 + i] = random.below(256)
    for (let seed = 0; seed < 30; seed++) {
      const values = apply(grey, drawAugmentation(createRandom(seed), presetAugmentation('strong')))
      close(values.subarray(0, 256), values.subarray(256, 512))
      close(values.subarray(0, 256), values.subarray(512))
    }
  })

  it('comes out the same when applied twice, whatever was done in between', () => {
    const draws = Array.from({ length: 20 }, (_, i) =>
      drawAugmentation(pictureRandom(1, 1, i), presetAugmentation('strong')),
    )
    const first = draws.map((draw) => apply(noisePicture(), draw))
    const again = draws.toReversed().map((draw) => apply(noisePicture(), draw))
    expect(again.reverse()).toEqual(first)
  })
})

describe('geometry', () => {
  it('turns against the clock', () => {
    const turned = move(dots([12, 8]), { angle: Math.PI / 2 })
    expect(light(turned)).toMatchObject({
      x: expect.closeTo(8, 5),
      y: expect.closeTo(3, 5),
      sum: expect.closeTo(1, 5),
    })
    const four = [1, 2, 3, 4].reduce(
      (picture) => new Uint8Array(move(picture, { angle: Math.PI / 2 }).map(Math.round)),
      noisePicture(),
    )
    expect(four).toEqual(noisePicture())
  })

  it('zooms in for factors above 1, about the middle', () => {
    const square = dots(...[6, 7, 8, 9].flatMap((x) => [6, 7, 8, 9].map((y): [number, number] => [x, y])))
    for (const zoom of [2, 0.5]) {
      const { x, y, sum } = light(move(square, { zoom }))
      expect([x, y]).toEqual([expect.closeTo(7.5, 5), expect.closeTo(7.5, 5)])
      expect(sum).toBeCloseTo(16 * zoom * zoom, 0)
    }
  })

  it('shifts to the right and down, and repeats the border behind', () => {
    const picture = noisePicture()
    const moved = move(picture, { shiftX: 0.25, shiftY: 0.125 })
    for (let y = 0; y < 16; y++)
      for (let x = 0; x < 16; x++)
        expect(at(moved, x, y, 2)).toBe(picture[512 + Math.max(0, y - 2) * 16 + Math.max(0, x - 4)])
  })

  it('shows the fill instead of the border where told to', () => {
    const moved = move(plain(10, 20, 30), { shiftX: -0.25 }, { border: 'fill', fill: [1, 2, 3] })
    expect([0, 1, 2].map((channel) => at(moved, 11, 5, channel))).toEqual([10, 20, 30])
    expect([0, 1, 2].map((channel) => at(moved, 12, 5, channel))).toEqual([1, 2, 3])
  })

  it('shears: lower rows to the right, right columns down', () => {
    expect(light(move(dots([8, 12]), { shearX: 0.4 })).x).toBeCloseTo(8 + 0.4 * 4.5, 4)
    expect(light(move(dots([8, 3]), { shearX: 0.4 })).x).toBeCloseTo(8 - 0.4 * 4.5, 4)
    expect(light(move(dots([12, 8]), { shearY: 0.4 })).y).toBeCloseTo(8 + 0.4 * 4.5, 4)
  })

  it('flips exactly, and twice is not at all', () => {
    const picture = noisePicture()
    const mirrored = move(picture, { flipHorizontal: true })
    const over = move(picture, { flipVertical: true })
    for (let y = 0; y < 16; y++)
      for (let x = 0; x < 16; x++) {
        expect(at(mirrored, x, y, 1)).toBe(picture[256 + y * 16 + 15 - x])
        expect(at(over, x, y, 1)).toBe(picture[256 + (15 - y) * 16 + x])
      }
    const twice = move(new Uint8Array(mirrored), { flipHorizontal: true })
    expect(new Uint8Array(twice)).toEqual(picture)
  })

  it('is bilinear sampling through one matrix', () => {
    const [size, from] = [
      { width: 9, height: 14 },
      { width: 13, height: 8 },
    ]
    const picture = noisePicture(from)
    const pixel = (channel: number, x: number, y: number): number =>
      picture[channel * 104 + Math.min(7, Math.max(0, y)) * 13 + Math.min(12, Math.max(0, x))]!
    for (let seed = 0; seed < 40; seed++) {
      const { geometry } = drawAugmentation(createRandom(seed), presetAugmentation('strong'))
      const m = samplingMatrix(geometry, size, from)
      const expected = Float64Array.from({ length: 3 * 126 }, (_, i) => {
        const [channel, y, x] = [Math.floor(i / 126), Math.floor((i % 126) / 9), i % 9]
        const [sx, sy] = [m.xx * x + m.xy * y + m.x0, m.yx * x + m.yy * y + m.y0]
        const [left, above] = [Math.floor(sx), Math.floor(sy)]
        const [wx, wy] = [sx - left, sy - above]
        return (
          pixel(channel, left, above) * (1 - wx) * (1 - wy) +
          pixel(channel, left + 1, above) * wx * (1 - wy) +
          pixel(channel, left, above + 1) * (1 - wx) * wy +
          pixel(channel, left + 1, above + 1) * wx * wy
        )
      })
      // Places are rounded to 1/16384 of a pixel.
      close(apply(picture, { geometry }, { size, from }), expected, 255 / 8192)
    }
  })
})

describe('colour', () => {
  it('gets brighter by the amount, and stops at white', () => {
    expect(tint(plain(10, 100, 250), { brightness: 20 })).toEqual(Float32Array.from(plain(30, 120, 255)))
    expect(tint(plain(10, 100, 250), { brightness: -20 })).toEqual(Float32Array.from(plain(0, 80, 230)))
  })

  it('stretches contrast about the mean grey of the picture', () => {
    const picture = noisePicture().map((value) => 100 + (value >> 3))
    const mean =
      picture.reduce((sum, value, i) => sum + value * [0.299, 0.587, 0.114][Math.floor(i / 256)]!, 0) / 256
    close(
      tint(picture, { contrast: 2 }),
      Float64Array.from(picture, (value) => mean + 2 * (value - mean)),
    )
    close(tint(picture, { contrast: 0 }), new Float64Array(768).fill(mean))
  })

  it('takes colours away towards luma, and adds to them', () => {
    const luma = 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    const expected = (factor: number) => [200, 100, 50].map((value) => luma + factor * (value - luma))
    for (const saturation of [0, 0.5, 1.2]) {
      const values = tint(plain(200, 100, 50), { saturation })
      const [red, green, blue] = expected(saturation)
      close(
        values,
        Float64Array.from({ length: 768 }, (_, i) => [red, green, blue][Math.floor(i / 256)]!),
      )
    }
  })

  it('turns hues: a third of the circle makes red green, green blue and blue red', () => {
    close(tint(plain(200, 10, 50), { hue: (2 * Math.PI) / 3 }), Float64Array.from(plain(50, 200, 10)), 0.01)
    close(tint(plain(200, 10, 50), { hue: 2 * Math.PI }), Float64Array.from(plain(200, 10, 50)), 0.01)
  })

  it('bends greys by gamma, darker above 1, and leaves black and white', () => {
    const ramp = Uint8Array.from({ length: 768 }, (_, i) => i % 256)
    for (const gamma of [0.6, 2]) {
      const expected = Float64Array.from(ramp, (value) => 255 * (value / 255) ** gamma)
      close(tint(ramp, { gamma }), expected)
    }
    const between = apply(ramp, {
      colour: { ...noColourChange, gamma: 0.6, brightness: 0.5 },
    })
    for (const value of [20, 100, 200])
      expect(between[value]!).toBeCloseTo(255 * ((value + 0.5) / 255) ** 0.6, 1)
  })

  it('does contrast, brightness, saturation, hue and gamma in this order', () => {
    const colour = { contrast: 0.5, brightness: 50, saturation: 0.3, hue: 1.5, gamma: 1.6 }
    const source = noisePicture().map((value) => 40 + (value >> 1))
    const oneByOne = Object.entries(colour).reduce(
      (picture, [name, value]) => new Uint8Array(tint(picture, { [name]: value }).map(Math.round)),
      source,
    )
    close(tint(source, colour), oneByOne, 2)
  })
})

describe('blur', () => {
  it('is a Gaussian, and loses no light', () => {
    const sigma = 1.2
    const blurred = apply(dots([8, 7]), { blur: sigma / 16 })
    const weight = (d: number): number => Math.exp(-(d * d) / (2 * sigma * sigma))
    const sum = [-4, -3, -2, -1, 0, 1, 2, 3, 4].reduce((total, d) => total + weight(d), 0)
    for (const [x, y] of [
      [8, 7],
      [9, 7],
      [8, 5],
      [11, 9],
    ] as const)
      expect(at(blurred, x, y) / 255).toBeCloseTo((weight(x - 8) * weight(y - 7)) / sum ** 2, 5)
    expect(light(blurred)).toEqual({
      x: expect.closeTo(8, 4),
      y: expect.closeTo(7, 4),
      sum: expect.closeTo(1, 4),
    })
  })

  it('leaves an even ground even, up to the border', () => {
    close(apply(plain(10, 120, 240), { blur: 0.3 }), Float64Array.from(plain(10, 120, 240)))
  })
})

describe('noise', () => {
  const size = { width: 64, height: 64 }
  const grey = new Uint8Array(3 * 4096).fill(128)
  const noisy = (seed: number) => apply(grey, { noise: { deviation: 12, seed } }, { size })

  it('has the mean 0 and the deviation asked for, and is the same in all channels', () => {
    const values = noisy(5)
    const red = values.subarray(0, 4096)
    const mean = red.reduce((sum, value) => sum + value, 0) / 4096
    const deviation = Math.sqrt(red.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 4096)
    expect(Math.abs(mean - 128)).toBeLessThan(0.8)
    expect(deviation).toBeGreaterThan(11.4)
    expect(deviation).toBeLessThan(12.6)
    expect(values.subarray(4096, 8192)).toEqual(red)
  })

  it('follows its seed, and pixels do not follow their neighbours', () => {
    expect(noisy(5)).toEqual(noisy(5))
    expect(noisy(6)).not.toEqual(noisy(5))
    const [a, b] = [noisy(5), noisy(6)]
    const correlation = (shift: number, other: Float32Array): number => {
      let sum = 0
      for (let i = 0; i < 4032; i++) sum += (a[i]! - 128) * (other[i + shift]! - 128)
      return sum / 4032 / 144
    }
    for (const value of [correlation(1, a), correlation(64, a), correlation(0, b)])
      expect(Math.abs(value)).toBeLessThan(0.08)
  })
})

describe('cut-out', () => {
  it('paints one rectangle and leaves the rest', () => {
    const picture = noisePicture()
    const cutout = { x: 0.25, y: 0.5, width: 0.25, height: 0.125 }
    const values = apply(picture, { cutout, fill: [1, 2, 3] })
    for (let channel = 0; channel < 3; channel++)
      for (let y = 0; y < 16; y++)
        for (let x = 0; x < 16; x++) {
          const inside = x >= 4 && x < 8 && y >= 8 && y < 10
          expect(at(values, x, y, channel)).toBe(inside ? channel + 1 : picture[channel * 256 + y * 16 + x])
        }
  })

  it('is seen however small it is', () => {
    const values = apply(plain(9, 9, 9), { cutout: { x: 1, y: 1, width: 0, height: 0 }, fill: [1, 1, 1] })
    expect(values.filter((value) => value === 1).length).toBe(3)
  })
})
