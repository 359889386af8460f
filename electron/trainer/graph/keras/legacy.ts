import { KestrelError } from '#shared/errors/index.ts'
import type { Graph } from '../types.ts'
import { buildGraph } from './build.ts'
import { parseModel } from './config.ts'
import type { NamedWeight, WeightSource } from './context.ts'
import { withHdf5 } from './hdf5.ts'
import type { Hdf5 } from './hdf5.ts'
import { parseJson } from './json.ts'

/**
 * Reads a whole Keras model in one HDF5 file (`.h5`), as `model.save('x.h5')` of every Keras version writes it.
 * Throws `backbone-damaged`, `backbone-unsupported` or `operator-unsupported`.
 */
export async function readKerasH5(path: string, defaultSize = 224): Promise<Graph> {
  return withHdf5(path, (file) => {
    const config = file.text('/', 'model_config')
    if (config === undefined) {
      throw new KestrelError(
        'backbone-unsupported',
        'This Keras file holds weights only, without the network they belong to.',
        { remedy: 'Save the whole model (model.save) and add that file.' },
      )
    }
    const root = file.has('model_weights') ? 'model_weights' : ''
    const version = file.text('/', 'keras_version') ?? file.text(root, 'keras_version') ?? '2'
    const model = parseModel(parseJson(config, 'the description of the network'))
    const kerasMajor = Number.parseInt(version, 10) || 2
    return buildGraph(model, { kerasMajor, weights: legacyWeights(file, root), defaultSize })
  })
}

/**
 * Weights stand under the name of the outermost layer; those of models inside a model are listed together, each with
 * the name of its own layer in its path.
 */
function legacyWeights(file: Hdf5, root: string): WeightSource {
  return (layer, path) => {
    const outermost = `${root}/${path[0] ?? layer.name}`
    const listed = file.texts(outermost, 'weight_names')
    const own = path.length === 1 ? listed : listed.filter((name) => name.split('/').includes(layer.name))
    return own.map((name, index): NamedWeight => {
      const last = name.split('/').at(-1)?.replace(/:\d+$/, '') ?? ''
      return { name: last === '' ? String(index) : last, value: file.array(`${outermost}/${name}`) }
    })
  }
}
