export { readOnnx } from './reader.ts'
export { writeOnnx } from './writer.ts'
