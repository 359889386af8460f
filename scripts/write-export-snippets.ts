import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { format } from 'prettier'
import ts from 'typescript'
import { appRoot } from '#shared/util/app-folders.ts'

/**
 * The resize that ships inside TensorFlow.js exports is the app's own, its types taken off. Run this after changing
 * shared/domain/preprocessing/resample.ts; a test says when it was forgotten.
 */
export const resampleSource = join(appRoot, 'shared', 'domain', 'preprocessing', 'resample.ts')
export const resampleSnippet = join(appRoot, 'resources', 'export', 'tfjs', 'preprocess.js')

export async function stripTypes(source: string): Promise<string> {
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, removeComments: false },
  })
  return format(outputText, { parser: 'babel', semi: false, singleQuote: true, printWidth: 110 })
}

if (import.meta.main) {
  writeFileSync(resampleSnippet, await stripTypes(readFileSync(resampleSource, 'utf8')))
}
