import { Writable } from 'node:stream'
import { expect, it } from 'vitest'
import { gradcheck } from '../../electron/cli/commands/gradcheck.ts'
import { createTerminal } from '../../electron/cli/terminal.ts'

async function answer(engine: 'reference' | 'onnx', json: boolean): Promise<string> {
  let said = ''
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      said += chunk.toString()
      done()
    },
  })
  const terminal = createTerminal(json, { stdout, stderr: new Writable({ write: (_c, _e, done) => done() }) })
  const { signal } = new AbortController()
  const command = { name: 'gradcheck', only: 'Convolution 3×3', engine, json } as const
  await gradcheck(command, { terminal, signal, version: '0' })
  return said
}

it('says of a difference that rounding alone explains that it is below the noise, not that it is none', async () => {
  const words = await answer('reference', false)
  expect(words).toMatch(/^good +≤ noise  layer Convolution 3×3$/m)
  expect(words).toMatch(/^≤ noise: .*rounding alone/m)
  expect(words).not.toContain('0.0e+0')
  expect(JSON.parse(await answer('reference', true))).toMatchObject({
    rows: [{ relativeError: 0, belowNoise: true, verdict: 'good' }],
  })
})

it('shows how far another engine is', async () => {
  const words = await answer('onnx', false)
  expect(words).toMatch(/^good +\d\.\de[-+]\d+  layer Convolution 3×3$/m)
  expect(words).not.toContain('noise')
})
