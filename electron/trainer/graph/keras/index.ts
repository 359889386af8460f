export { readKerasArchive } from './archive.ts'
export { readKerasH5 } from './legacy.ts'
