import { describe, expect, it } from 'vitest'
import { scrub } from '#studio/diagnostics/scrub.ts'

const names = {
  folders: [
    { path: '/home/mary', as: 'user' },
    { path: '/home/mary/.local/share/kestrel-studio', as: 'home' },
  ],
  words: [
    { word: 'mary', as: 'user' },
    { word: 'Owls of Kent', as: 'project' },
    { word: 'ab', as: 'label' },
  ],
}

describe('scrubbing a log', () => {
  it.each([
    ['cannot read /home/mary/My Pictures/owl 1.jpg', 'cannot read <path>'],
    ["ENOENT: no such file, open '/media/stick/owls/a (2).png'", "ENOENT: no such file, open '<path><file>'"],
    ['skipped "Tante Erna.HEIC" and more', 'skipped "<file>" and more'],
    ['prepared "Tante Erna.hdf5" for "Ernas Eulen.kestrel"', 'prepared "<file>" for "<file>"'],
    [String.raw`open C:\Users\Mary\Pictures\a.jpg`, 'open <path>'],
    [String.raw`{"path":"D:\\owls\\b.webp"}`, '{"path":"<path>"}'],
    [String.raw`\\server\share\c.gif is gone`, '<path>'],
    ['    at load (/home/mary/kestrel/electron/studio/main.ts:12:3)', '    at load (<app>/main.ts:12:3)'],
    ['    at file:///opt/kestrel/out/node/studio.mjs:1:2', '    at <app>/studio.mjs:1:2'],
    ['written to /home/mary/.local/share/kestrel-studio/logs', 'written to <path>'],
    ['opened Owls of Kent for Mary', 'opened <project> for <user>'],
    ['fetching https://huggingface.co/x failed', 'fetching https://huggingface.co/x failed'],
    ['12/15 done, 3 km/h', '12/15 done, 3 km/h'],
    ['the label ab is short and stays', 'the label ab is short and stays'],
  ])('%s', (line, clean) => {
    expect(scrub(line, names)).toBe(clean)
  })
})
