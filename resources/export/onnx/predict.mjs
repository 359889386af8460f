/**
 * Runs the classifier beside this file on pictures.
 *
 *   npm install
 *   node predict.mjs PICTURE…          label and probability of each picture
 *   node predict.mjs --json PICTURE…   all probabilities, as one JSON document
 *
 * In a program of your own:
 *
 *   import { loadClassifier } from './predict.mjs'
 *   const classifier = await loadClassifier()
 *   const { label, probability, sure, probabilities } = await classifier.predict('picture.jpg')
 */
import { readFile, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as onnx from 'onnxruntime-node'
import { decodePicture } from './decode.mjs'

const here = dirname(fileURLToPath(import.meta.url))

/** Loads the network from a folder (this one when none is given). */
export async function loadClassifier(folder = here) {
  const about = JSON.parse(await readFile(join(folder, 'model.json'), 'utf8'))
  const session = await onnx.InferenceSession.create(join(folder, about.file))

  /** Red, green, blue bytes, row by row from the top, of a picture of any size. */
  async function predictPixels(data, width, height) {
    const image = new onnx.Tensor('uint8', data, [height, width, 3])
    const result = await session.run({ [about.input.name]: image })
    return answer(Array.from(result[about.output.name].data), about)
  }

  return {
    labels: about.labels,
    threshold: about.threshold,
    predictPixels,
    /** `file`: a path, or the bytes of a picture file. */
    async predict(file) {
      const { data, width, height } = await decodePicture(file, about.preprocessing.background)
      return predictPixels(data, width, height)
    },
    close: () => session.release(),
  }
}

/** `sure` is false where the best probability lies below the threshold: then the answer is "not sure". */
function answer(probabilities, { labels, threshold }) {
  const best = probabilities.indexOf(Math.max(...probabilities))
  const probability = probabilities[best]
  return { label: labels[best], probability, sure: probability >= threshold, probabilities }
}

async function main(args) {
  const json = args.includes('--json')
  const files = args.filter((argument) => argument !== '--json')
  if (files.length === 0) {
    console.error('Usage: node predict.mjs [--json] PICTURE…')
    return 2
  }
  const classifier = await loadClassifier()
  const results = []
  for (const file of files) {
    const { label, probability, sure, probabilities } = await classifier.predict(file)
    if (!json) console.log(`${file}\t${sure ? label : `not sure (${label}?)`}\t${probability.toFixed(4)}`)
    const named = Object.fromEntries(classifier.labels.map((name, index) => [name, probabilities[index]]))
    results.push({ file, label, probability, sure, probabilities: named })
  }
  if (json) console.log(JSON.stringify(results, null, 2))
  return 0
}

if (
  process.argv[1] &&
  (await realpath(process.argv[1])) === (await realpath(fileURLToPath(import.meta.url)))
) {
  process.exitCode = await main(process.argv.slice(2))
}
