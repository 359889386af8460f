import { describe, expect, it } from 'vitest'
import { bridgeMark, fromBridge } from '#shared/errors/index.ts'

describe('fromBridge', () => {
  it('takes the words out of a message, also behind what Electron puts before it', () => {
    const wire = { code: 'forbidden', message: 'No.', remedy: 'Ask again.' }
    const error = new Error(`Uncaught Error: ${bridgeMark}${JSON.stringify(wire)}`)
    expect(fromBridge(error)).toMatchObject({ code: 'forbidden', message: 'No.', remedy: 'Ask again.' })
  })
  it.each([
    new Error('anything'),
    new Error(`${bridgeMark}{`),
    new Error(`${bridgeMark}{"code":"x"}`),
    'text',
    null,
  ])('is null for what carries none: %s', (error) => {
    expect(fromBridge(error)).toBeNull()
  })
})
