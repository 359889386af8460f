import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { KestrelError } from '#shared/errors/index.ts'
import { bar, createTerminal, duration, wordsOfError } from '../../electron/cli/terminal.ts'

function collect(isTTY: boolean) {
  let text = ''
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString()
      done()
    },
  })
  return { stream: Object.assign(stream, { isTTY, columns: 80 }), text: () => text }
}
const view = { stage: 'reading', done: 120, total: 480, rate: 61.4, etaSeconds: 5.9 }

describe('the terminal', () => {
  it('with --json writes one document to stdout and nothing else', () => {
    const [out, err] = [collect(false), collect(false)]
    const terminal = createTerminal(true, { stdout: out.stream, stderr: err.stream })
    terminal.say('hello')
    terminal.print('for people')
    terminal.progress(view)
    terminal.answer({ a: [1, 2] })
    expect(JSON.parse(out.text())).toEqual({ a: [1, 2] })
    expect(err.text()).toBe('hello\nReading pictures …\n')
    expect(() => terminal.answer({})).toThrow(/once/)
  })

  it('without a terminal says each stage once', () => {
    const [out, err] = [collect(false), collect(false)]
    const terminal = createTerminal(false, { stdout: out.stream, stderr: err.stream })
    for (const stage of ['waiting', 'reading', 'reading', 'fitting']) terminal.progress({ ...view, stage })
    terminal.print('84 % right')
    expect(err.text()).toBe('Reading pictures …\nTraining …\n')
    expect(out.text()).toBe('84 % right\n')
  })

  it('on a terminal draws over the bar and takes it away', () => {
    const [out, err] = [collect(false), collect(true)]
    const terminal = createTerminal(false, { stdout: out.stream, stderr: err.stream })
    terminal.progress(view)
    terminal.say('done')
    expect(err.text()).toContain('\rReading pictures')
    expect(err.text().endsWith('\r\u001b[Kdone\n')).toBe(true)
  })
})

describe('words', () => {
  it('a bar shows share, rate and time left, and fits', () => {
    expect(bar('Reading', view, 100)).toBe(`Reading  ━━━━━━${'─'.repeat(18)} 120 of 480  61/s  6 s left`)
    expect(bar('Reading', { ...view, total: null, rate: 2.34, etaSeconds: null }, 100)).toBe(
      'Reading  120  2.3/s',
    )
    expect(bar('Reading', view, 20)).toHaveLength(19)
  })

  it('durations', () => {
    expect([0.2, 59, 89, 90, 3600, 7500].map(duration)).toEqual([
      '1 s',
      '59 s',
      '89 s',
      '2 min',
      '1 h 0 min',
      '2 h 5 min',
    ])
  })

  it('errors say what happened, what was kept and what to do', () => {
    const error = new KestrelError('disk-full', 'Full.', { kept: 'Kept.', remedy: 'Free some.' })
    expect(wordsOfError(error).text).toBe('Full. Kept. Free some.')
    expect(wordsOfError(new Error('x')).wire.code).toBe('internal')
  })
})
