/**
 * Operators that only training needs, in a domain of their own. Differentiation writes them, so that the rules stay as
 * short as the textbook's; a lowering per device (`autodiff/lowering`) turns them into operators that the device has.
 * They never reach a file.
 *
 * All maps are channels first, `[batch, channels, height, width]`. Attributes of windows (`kernel_shape`, `strides`,
 * `pads`, `dilations`, `group`) mean what they mean for ONNX `Conv` and `MaxPool`; `auto_pad` is always resolved into
 * `pads` before (`explicitWindow` of `window.ts`); poolings keep `ceil_mode`, which lets their last windows hang over.
 *
 * | operator | inputs → outputs | what |
 * |---|---|---|
 * | `ConvInputGradient` | dy, w → dx | gradient of `Conv` for its input; attribute `input_shape` = shape of x |
 * | `ConvWeightGradient` | x, dy → dw | … for its weight; attribute `weight_shape` = shape of w |
 * | `MaxPoolGradient` | x, y, dy → dx | a maximum hands its gradient to where it came from; values that tie for it share it equally |
 * | `AveragePoolGradient` | dy → dx | attribute `input_shape`; `count_include_pad` as in `AveragePool` |
 * | `BatchNormalizationTraining` | x, gamma, beta → y, mean, variance | statistics of this batch over all axes but 1; the variance is the biased one (divided by the count); attribute `epsilon` |
 * | `BatchNormalizationGradient` | x, gamma, mean, variance, dy → dx, dgamma, dbeta | of the former; attribute `epsilon` |
 * | `GatherGradient` | indices, dy → dx | attributes `axis`, `input_shape`; rows read more than once get the sum |
 * | `Dropout` | x → y | attributes `ratio` (0 … < 1: the part that is dropped) and `channels` (1: whole maps). In a network's graph it marks the place; inference gives x, and a training step replaces it by a product with a mask that is fed in |
 */
export const trainingDomain = 'kestrel'

export const trainingOperators = [
  'ConvInputGradient',
  'ConvWeightGradient',
  'MaxPoolGradient',
  'AveragePoolGradient',
  'BatchNormalizationTraining',
  'BatchNormalizationGradient',
  'GatherGradient',
  'Dropout',
] as const
export type TrainingOperator = (typeof trainingOperators)[number]

/**
 * Written by the lowerings themselves, between their rewriting of a training graph and the device's operators
 * (`autodiff/lowering/peepholes`); no engine computes them as they stand.
 *
 * | operator | inputs → outputs | what |
 * |---|---|---|
 * | `BatchStatistics` | x → mean, variance | what `BatchNormalizationTraining` takes of a batch |
 * | `PooledNormalizationGradient` | x, gamma, mean, variance, dy, maxima, sign → dx, dgamma, dbeta | of a batch normalisation of the maxima of x with the statistics of all of x; attributes of the pooling's window, `epsilon` |
 */
export const loweringOperators = ['BatchStatistics', 'PooledNormalizationGradient'] as const
export type LoweringOperator = (typeof loweringOperators)[number]
