import { describe, expect, it } from 'vitest'
import { forecastSchema } from '#shared/contract/training.ts'
import { etaSeconds, fitWork, forecastTraining, updateRate } from '#shared/domain/forecast.ts'

const input = {
  pictures: 1000,
  cached: 400,
  featureLength: 256,
  classes: 5,
  folds: 5,
  measured: { features: 200, fit: 1e9 },
  expectedFeatureRate: 50,
}

describe('forecastTraining', () => {
  it('counts only the pictures without features', () => {
    const forecast = forecastTraining(input)
    expect(forecastSchema.parse(forecast)).toMatchObject({
      featuresSeconds: 3,
      cachedPictures: 400,
      basis: 'measured',
    })
    expect(forecast.fitSeconds).toBeCloseTo(fitWork(input) / 1e9)
    expect(forecast.seconds).toBeGreaterThan(3)
  })

  it('falls back on the catalogue and says so', () => {
    const forecast = forecastTraining({ ...input, measured: { features: null, fit: null } })
    expect(forecast).toMatchObject({ featuresSeconds: 12, basis: 'estimated' })
  })

  it('counts the preparing of a backbone that was never used here', () => {
    const ready = forecastTraining(input).seconds
    expect(forecastTraining({ ...input, preparing: true }).seconds).toBeGreaterThan(ready + 1)
  })

  it('with all features cached needs no feature rate', () => {
    const forecast = forecastTraining({ ...input, cached: 1200, measured: { features: null, fit: 1e9 } })
    expect(forecast).toMatchObject({ featuresSeconds: 0, cachedPictures: 1000, basis: 'measured' })
  })
})

describe('rates and time left', () => {
  it('moves towards new measurements without jumping', () => {
    expect(updateRate(null, 100, 2)).toBe(50)
    const moved = updateRate(50, 100, 1)!
    expect(moved).toBeGreaterThan(50)
    expect(moved).toBeLessThan(100)
    expect(updateRate(50, 0, 1)).toBe(50)
    expect(updateRate(null, 5, 0)).toBeNull()
  })

  it('says nothing before it can', () => {
    expect(etaSeconds(0, 100, 3)).toBeNull()
    expect(etaSeconds(5, null, 3)).toBeNull()
    expect(etaSeconds(5, 100, 0.1)).toBeNull()
    expect(etaSeconds(25, 100, 5)).toBe(15)
    expect(etaSeconds(120, 100, 5)).toBe(0)
  })
})
