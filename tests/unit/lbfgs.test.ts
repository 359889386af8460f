import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { minimise, type Objective } from '#trainer/head/lbfgs.ts'

const rosenbrock: Objective = (p) => {
  const [x, y] = [p[0]!, p[1]!]
  return {
    value: 100 * (y - x * x) ** 2 + (1 - x) ** 2,
    gradient: Float64Array.of(-400 * x * (y - x * x) - 2 * (1 - x), 200 * (y - x * x)),
  }
}

describe('minimise (L-BFGS)', () => {
  it('finds the minimum of the Rosenbrock valley from the classical start', async () => {
    const result = await minimise(rosenbrock, Float64Array.of(-1.2, 1), { relativeDecrease: 1e-16 })
    expect(result.point[0]).toBeCloseTo(1, 5)
    expect(result.point[1]).toBeCloseTo(1, 5)
    expect(result.evaluations).toBeLessThan(80)
  })

  it('solves any well-conditioned quadratic, however it is stretched', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            curvature: fc.double({ min: 0.01, max: 100, noNaN: true }),
            centre: fc.double({ min: -10, max: 10, noNaN: true }),
          }),
          { minLength: 1, maxLength: 20 },
        ),
        async (axes) => {
          const objective: Objective = (p) => ({
            value: axes.reduce((sum, a, i) => sum + 0.5 * a.curvature * (p[i]! - a.centre) ** 2, 1),
            gradient: Float64Array.from(axes, (a, i) => a.curvature * (p[i]! - a.centre)),
          })
          const result = await minimise(objective, new Float64Array(axes.length), { relativeDecrease: 0 })
          expect(result.value).toBeCloseTo(1, 8)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('never ends above the start and leaves the start untouched', async () => {
    const start = Float64Array.of(3, -4)
    const result = await minimise(rosenbrock, start, { maxIterations: 3 })
    expect(result.end).toBe('iterations')
    expect(result.value).toBeLessThan((await rosenbrock(start)).value)
    expect([...start]).toEqual([3, -4])
  })

  it('ends at once at a minimum', async () => {
    const result = await minimise(rosenbrock, Float64Array.of(1, 1))
    expect(result).toMatchObject({ end: 'gradient', iterations: 0, evaluations: 1 })
  })

  it('goes on from curvature found on a function much like this one, in fewer steps', async () => {
    // A stretched bowl, and the same a little moved.
    const bowl =
      (shift: number): Objective =>
      (p) => {
        const gradient = Float64Array.from(p, (x, i) => (1 + i ** 2) * (x - shift - i / 5))
        const value = p.reduce((sum, x, i) => sum + 0.5 * (1 + i ** 2) * (x - shift - i / 5) ** 2, 1)
        return { value, gradient }
      }
    const options = { relativeDecrease: 1e-9, memory: 30 }
    const first = await minimise(bowl(0), new Float64Array(12), options)
    const kept = first.curvature.map(({ s, y }) => [[...s], [...y]])
    const cold = await minimise(bowl(0.1), first.point, options)
    const { curvature } = first
    const warm = await minimise(bowl(0.1), first.point, { ...options, curvature })
    expect(warm.value).toBeCloseTo(1, 6)
    expect(warm.evaluations).toBeLessThan(0.5 * cold.evaluations)
    expect(curvature.map(({ s, y }) => [[...s], [...y]])).toEqual(kept)
  })

  it('stops when asked, with the point of that iteration', async () => {
    const seen: number[] = []
    const result = await minimise(rosenbrock, Float64Array.of(-1.2, 1), {
      onIteration: (iteration, { value }) => {
        seen.push(value)
        return iteration < 4
      },
    })
    expect(result.end).toBe('stopped')
    expect(result.iterations).toBe(4)
    expect(result.value).toBe(seen.at(-1))
    expect([...seen].sort((a, b) => b - a)).toEqual(seen)
  })

  it('keeps the last good point when the function breaks down', async () => {
    let calls = 0
    const breaking: Objective = (p) =>
      ++calls > 6 ? { value: Number.NaN, gradient: new Float64Array(2) } : rosenbrock(p)
    const result = await minimise(breaking, Float64Array.of(-1.2, 1))
    expect(result.end).toBe('not-finite')
    expect(Number.isFinite(result.value)).toBe(true)
    expect(result.value).toBeLessThan(24.2)
  })

  it('says so when the first evaluation already is not finite', async () => {
    const result = await minimise(
      () => ({ value: Number.NaN, gradient: Float64Array.of(0) }),
      Float64Array.of(5),
    )
    expect(result.end).toBe('not-finite')
    expect(result.point[0]).toBe(5)
  })

  it('backs away from a wall of infinities', async () => {
    const barrier: Objective = (p) =>
      p[0]! <= 0
        ? { value: Number.POSITIVE_INFINITY, gradient: Float64Array.of(0) }
        : { value: p[0]! - Math.log(p[0]!), gradient: Float64Array.of(1 - 1 / p[0]!) }
    const result = await minimise(barrier, Float64Array.of(40), {
      relativeDecrease: 0,
      gradientTolerance: 1e-7,
    })
    expect(result.point[0]).toBeCloseTo(1, 5)
  })

  it('ends soon although the values are rounded to 32 bits', async () => {
    const rounded: Objective = (p) => {
      const { value, gradient } = rosenbrock(p) as { value: number; gradient: Float64Array }
      return { value: Math.fround(value + 1000), gradient: Float64Array.from(Float32Array.from(gradient)) }
    }
    const result = await minimise(rounded, Float64Array.of(-1.2, 1))
    expect(result.evaluations).toBeLessThan(150)
    expect(result.value).toBeLessThan(1000.5)
  })
})
