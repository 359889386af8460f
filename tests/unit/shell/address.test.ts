import { describe, expect, it } from 'vitest'
import { allowedOutside, isOurs } from '../../../electron/main/address.ts'

describe('isOurs', () => {
  it.each(['studio://app/', 'studio://app/projects/1?x=2#y', 'STUDIO://app'])('accepts %s', (address) => {
    expect(isOurs(address)).toBe(true)
  })
  it.each([
    'studio://app.evil/',
    'studio://appx/',
    'studio://evil/app',
    'studio://name@app/',
    'studio://app:81/',
    'https://app/',
    'file:///app',
    'javascript:alert(1)',
    'about:blank',
    '',
    'app',
  ])('refuses %s', (address) => {
    expect(isOurs(address)).toBe(false)
  })
})

describe('allowedOutside', () => {
  it('gives listed https pages in their normal form', () => {
    expect(allowedOutside('https://keras.io')).toBe('https://keras.io/')
    expect(allowedOutside('https://github.com/onnx/models#x')).toBe('https://github.com/onnx/models#x')
  })
  it.each([
    'http://keras.io/',
    'https://keras.io.example.com/',
    'https://example.com/?keras.io',
    'https://keras.io@example.com/',
    'https://user@keras.io/',
    'https://keras.io:8443/',
    'file:///etc/passwd',
    'smb://keras.io/share',
    'no address',
  ])('refuses %s', (address) => {
    expect(allowedOutside(address)).toBeNull()
  })
})
