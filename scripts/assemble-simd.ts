import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import wabt from 'wabt'
import { appRoot } from '#shared/util/app-folders.ts'

/**
 * Writes the WebAssembly programs of our own (`.wat`) into the modules beside them that run them. Run this after changing
 * one; a test says when it was forgotten.
 */
export const programs = ['shared/domain/preprocessing/simd', 'electron/imaging/augment/sample-simd'].map(
  (name) => ({ text: join(appRoot, `${name}.wat`), module: join(appRoot, `${name}.ts`) }),
)

/** @throws Error with line and column where the text is wrong */
async function assemble(text: string): Promise<Uint8Array> {
  const program = (await wabt()).parseWat('', text, { simd: true })
  try {
    program.resolveNames()
    program.validate()
    return program.toBinary({}).buffer
  } finally {
    program.destroy()
  }
}

const written = /const program =\n(?: {2}'[^']*'(?: \+)?\n)+/

/** @returns the source of the module with the program of the text in it */
export async function withProgram({ text, module }: (typeof programs)[number]): Promise<string> {
  const source = readFileSync(module, 'utf8')
  if (!written.test(source)) throw new Error(`${module} has no place for a program`)
  const base64 = Buffer.from(await assemble(readFileSync(text, 'utf8'))).toString('base64')
  const lines = base64.match(/.{1,104}/g)!.map((line) => `  '${line}'`)
  return source.replace(written, `const program =\n${lines.join(' +\n')}\n`)
}

if (import.meta.main)
  for (const program of programs) writeFileSync(program.module, await withProgram(program))
