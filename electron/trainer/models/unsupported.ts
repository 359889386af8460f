import { KestrelError } from '#shared/errors/index.ts'

/**
 * A network that people give and Kestrel cannot take.
 * @param why goes on after "cannot serve as a backbone:".
 */
export const unsupported = (
  why: string,
  remedy = 'Choose a network that was trained to tell colour pictures apart, or one of those in the list.',
): KestrelError =>
  new KestrelError('backbone-unsupported', `This network cannot serve as a backbone: ${why}.`, { remedy })
