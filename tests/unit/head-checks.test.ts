import { describe, expect, it } from 'vitest'
import { watchedFor } from '#shared/domain/training/babysitter.ts'
import { checkHead } from '#shared/domain/training/head-checks.ts'
import type { FittedHead } from '#shared/domain/training/head-checks.ts'

const base: FittedHead = { diverged: false, trainAccuracy: 0.95, valAccuracy: 0.9, val: 100 }
const check = (head: Partial<FittedHead>, id: string) =>
  checkHead({ ...base, ...head }).find((each) => each.id === id)!

describe('watching a head', () => {
  it('names every check, and says why most of them mean nothing', () => {
    const checks = checkHead(base)
    expect(checks.map(({ id }) => id)).toEqual([...watchedFor])
    expect(checks.map(({ verdict }) => verdict)).toEqual(['good', 'skipped', 'skipped', 'good', 'skipped'])
    for (const { message } of checks) expect(message).toMatch(/^[A-Z].{15,}\.$/)
  })

  it('says why overfitting could not be judged', () => {
    expect(check({ val: 9 }, 'overfitting').message).toContain('Fewer than 10 validation pictures')
    expect(check({ trainAccuracy: null }, 'overfitting').message).toContain('ended before')
  })

  it('calls only those figures together that are', () => {
    expect(check({ valAccuracy: 0.93 }, 'overfitting').message).toContain('stay together')
    expect(check({ valAccuracy: 0.8 }, 'overfitting').message).toContain('more often (95 %)')
  })

  it('says that numbers were not finite', () => {
    expect(check({ diverged: true }, 'finite').verdict).toBe('wrong')
  })

  it.each<[Partial<FittedHead>, string]>([
    [{ valAccuracy: 0.7 }, 'attention'],
    [{ valAccuracy: 0.8 }, 'good'],
    // A third of ten pictures is what chance may do.
    [{ valAccuracy: 0.7, val: 10 }, 'good'],
    [{ valAccuracy: 0.3, val: 10 }, 'attention'],
    [{ valAccuracy: 0, val: 1 }, 'skipped'],
    [{ valAccuracy: null, val: 0 }, 'skipped'],
    [{ trainAccuracy: null }, 'skipped'],
  ])('judges overfitting %j: %s', (head, verdict) => {
    expect(check(head, 'overfitting').verdict).toBe(verdict)
  })
})
