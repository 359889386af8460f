import { checkHead } from '#shared/domain/training/head-checks.ts'
import { KestrelError } from '#shared/errors/index.ts'

/** A fit that broke down before anything good was reached. */
export const headBroke = (message: string, remedy: string): KestrelError =>
  new KestrelError('training-diverged', message, {
    kept: 'Pictures, labels and earlier models are unchanged.',
    remedy,
    checks: checkHead({ diverged: true, nothingKept: true, trainAccuracy: null, valAccuracy: null, val: 0 }),
  })

export const nothingReached = (): KestrelError =>
  headBroke('The training got numbers that are not finite.', 'Try another backbone.')
