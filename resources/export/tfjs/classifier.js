/**
 * From the pixels of a picture to an answer. The same code runs in Node (predict.mjs) and in the browser
 * (index.html); `tf` is TensorFlow.js, `model` the loaded graph model, `about` the content of classifier.json.
 */
import { resizeRgb } from './preprocess.js'

export function classifierFrom(tf, model, about) {
  const { width: modelWidth, height: modelHeight } = about.preprocessing.size

  /** Red, green, blue bytes, row by row from the top, of a picture of any size. */
  async function predictPixels(data, width, height) {
    const resized = resizeRgb(data, width, height, modelWidth, modelHeight)
    const input = tf.tensor4d(Float32Array.from(resized), [1, modelHeight, modelWidth, 3])
    const output = model.predict(input)
    const probabilities = Array.from(await output.data())
    input.dispose()
    output.dispose()
    return answer(probabilities)
  }

  /** `sure` is false where the best probability lies below the threshold: then the answer is "not sure". */
  function answer(probabilities) {
    const best = probabilities.indexOf(Math.max(...probabilities))
    const probability = probabilities[best]
    return { label: about.labels[best], probability, sure: probability >= about.threshold, probabilities }
  }

  return { predictPixels, close: () => model.dispose() }
}
