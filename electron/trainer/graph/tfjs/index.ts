export { readTfjsLayers } from './reader.ts'
export { writeTfjsModel } from './write/index.ts'
export type { TfjsModel, TfjsScaling } from './write/index.ts'
