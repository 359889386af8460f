import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { programs, withProgram } from '../../scripts/assemble-simd.ts'

test('the WebAssembly programs are those of their texts', async () => {
  // When this fails: node scripts/assemble-simd.ts
  expect(programs.length).toBeGreaterThan(1)
  for (const program of programs)
    expect(readFileSync(program.module, 'utf8')).toBe(await withProgram(program))
})
