import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WindowStateFile, isReachable } from '../../../electron/main/window-state.ts'

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'kestrel-window-'))
})
afterEach(() => rmSync(home, { recursive: true }))

describe('WindowStateFile', () => {
  it('starts fresh, and keeps what it is told', () => {
    const first = new WindowStateFile(home)
    expect(first.state).toEqual({ bounds: null, maximised: false, theme: 'system' })
    first.change({ theme: 'dark', bounds: { x: 1, y: 2, width: 1000, height: 700 } })
    expect(new WindowStateFile(home).state).toEqual({
      bounds: { x: 1, y: 2, width: 1000, height: 700 },
      maximised: false,
      theme: 'dark',
    })
  })

  it.each(['', '{', '{"theme":"pink"}', 'null', '[]'])('starts fresh on a damaged file: %s', (content) => {
    writeFileSync(join(home, 'window.json'), content)
    const file = new WindowStateFile(home)
    expect(file.state.theme).toBe('system')
    file.change({ maximised: true })
    expect(JSON.parse(readFileSync(join(home, 'window.json'), 'utf8'))).toMatchObject({ maximised: true })
  })
})

describe('isReachable', () => {
  const screen = { x: 0, y: 0, width: 1440, height: 900 }
  const right = { x: 1440, y: 0, width: 1920, height: 1080 }
  const window = (x: number, y: number) => ({ x, y, width: 1000, height: 700 })

  it('is true on any display', () => {
    expect(isReachable(window(100, 100), [screen])).toBe(true)
    expect(isReachable(window(2000, 100), [screen, right])).toBe(true)
  })
  it('is false where the display is gone, or the title lies outside', () => {
    expect(isReachable(window(2000, 100), [screen])).toBe(false)
    expect(isReachable(window(100, -100), [screen])).toBe(false)
    expect(isReachable(window(1400, 100), [screen])).toBe(false)
    expect(isReachable(window(100, 890), [screen])).toBe(false)
    expect(isReachable(window(100, 100), [])).toBe(false)
  })
})
