/**
 * Runs the classifier beside this file on pictures, in Node.
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
import * as tf from '@tensorflow/tfjs-core'
import { loadGraphModel } from '@tensorflow/tfjs-converter'
import '@tensorflow/tfjs-backend-cpu'
import '@tensorflow/tfjs-backend-wasm'
import { decodePicture } from './decode.mjs'
import { classifierFrom } from './classifier.js'

const here = dirname(fileURLToPath(import.meta.url))

/** Loads the network from a folder (this one when none is given). */
export async function loadClassifier(folder = here) {
  const about = JSON.parse(await readFile(join(folder, 'classifier.json'), 'utf8'))
  // WebAssembly is 20 to 50 times as fast as plain JavaScript, which is there where it cannot be had.
  if (!(await tf.setBackend('wasm'))) await tf.setBackend('cpu')
  const model = await loadGraphModel({ load: () => readModel(folder, about.file) })
  const { predictPixels, close } = classifierFrom(tf, model, about)
  return {
    labels: about.labels,
    threshold: about.threshold,
    /** Red, green, blue bytes, row by row from the top, of a picture of any size. */
    predictPixels,
    /** `file`: a path, or the bytes of a picture file. */
    async predict(file) {
      const { data, width, height } = await decodePicture(file, about.preprocessing.background)
      return predictPixels(data, width, height)
    },
    close,
  }
}

/** The model as TensorFlow.js wants it handed over: what its `file://` loader does, without its large package. */
async function readModel(folder, file) {
  const model = JSON.parse(await readFile(join(folder, file), 'utf8'))
  const weightSpecs = model.weightsManifest.flatMap((group) => group.weights)
  const paths = model.weightsManifest.flatMap((group) => group.paths)
  const bytes = Buffer.concat(await Promise.all(paths.map((path) => readFile(join(folder, path)))))
  return {
    modelTopology: model.modelTopology,
    format: model.format,
    signature: model.signature,
    weightSpecs,
    weightData: new Uint8Array(bytes).buffer,
  }
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
