export { readTfjsLayers } from './reader.ts'
