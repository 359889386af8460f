import type { Forecast } from '../contract/training.ts'

/** What has been measured on this machine; null where nothing has been yet. */
export interface MeasuredRates {
  /** Pictures per second from file to feature, for this backbone. */
  features: number | null
  /** {@link fitWork} per second of head fits. */
  fit: number | null
}

export interface ForecastInput {
  pictures: number
  /** Of those, how many have their features in the cache. */
  cached: number
  featureLength: number
  classes: number
  folds: number
  measured: MeasuredRates
  /** Pictures per second to expect before anything was measured (catalogue). */
  expectedFeatureRate: number
  /** The backbone has still to be read and written for this machine, once. */
  preparing?: boolean
}

/** Fits besides the folds: the path over regularisation strengths, warm-started, costs about three; one more refits. */
const BASE_FITS = 4
/** Multiply-adds of picture × feature × class and fit per second: 10,000 × 1,280, ten classes, 411 ms on two cores. */
const EXPECTED_FIT_RATE = 3e8
/** Starting the trainer, loading the network, writing the model, seconds. */
const OVERHEAD_SECONDS = 0.6
/** Reading a Keras file of 15 MB and writing it as ONNX took two to four seconds on two cores. */
const PREPARING_SECONDS = 3

/** Work of all head fits of a training, in pictures × features × classes. */
export const fitWork = ({
  pictures,
  featureLength,
  classes,
  folds,
}: Pick<ForecastInput, 'pictures' | 'featureLength' | 'classes' | 'folds'>): number =>
  pictures * featureLength * classes * (BASE_FITS + folds)

/** How long a training of a head on a frozen backbone will take, seconds. */
export function forecastTraining(input: ForecastInput): Forecast {
  const { pictures, cached, measured, expectedFeatureRate, preparing = false } = input
  const missing = Math.max(0, pictures - cached)
  const featuresSeconds = missing / Math.max(measured.features ?? expectedFeatureRate, 1e-3)
  const fitSeconds = fitWork(input) / (measured.fit ?? EXPECTED_FIT_RATE)
  return {
    seconds: featuresSeconds + fitSeconds + OVERHEAD_SECONDS + (preparing ? PREPARING_SECONDS : 0),
    featuresSeconds,
    fitSeconds,
    cachedPictures: Math.min(cached, pictures),
    // The features are nearly all of the time: what counts is whether their rate is known, or none are missing.
    basis: (measured.features !== null || missing === 0) && measured.fit !== null ? 'measured' : 'estimated',
  }
}

/** Weight of the newest measurement: three or four trainings forget a machine that was busy once. */
const NEWEST_WEIGHT = 0.4

/** Folds a new measurement into what was known. Rates are averaged by their times per unit (harmonic). */
export function updateRate(known: number | null, units: number, seconds: number): number | null {
  if (!(units > 0) || !(seconds > 0)) return known
  const rate = units / seconds
  return known === null ? rate : 1 / (NEWEST_WEIGHT / rate + (1 - NEWEST_WEIGHT) / known)
}

/**
 * Seconds left of a job, from what it has done so far.
 * @returns null while it is too early to say (nothing done, or under half a second).
 */
export function etaSeconds(done: number, total: number | null, elapsedSeconds: number): number | null {
  if (total === null || done <= 0 || elapsedSeconds < 0.5) return null
  return Math.max(0, ((total - done) * elapsedSeconds) / done)
}
