import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing } from '../files.ts'

/** SPDX names by sentences that no other licence has. */
const known: [RegExp, string][] = [
  [/Apache License\s+Version 2\.0/, 'Apache-2.0'],
  [/Permission is hereby granted, free of charge/, 'MIT'],
  [/Redistribution and use in source and binary forms[\s\S]*Neither the name/, 'BSD-3-Clause'],
  [/Redistribution and use in source and binary forms/, 'BSD-2-Clause'],
]

/** What the licence files beside a model say; null when there are none that are known. */
export async function licenceOf(folder: string): Promise<string | null> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (isMissing(error)) return []
    throw error
  })
  const found = new Set<string>()
  for (const name of names.filter((each) => /^(licen[cs]e|copying)/i.test(each)).sort()) {
    const text = await readFile(join(folder, name), 'utf8')
    const spdx = known.find(([sentence]) => sentence.test(text))?.[1]
    if (spdx !== undefined) found.add(spdx)
  }
  return found.size === 0 ? null : [...found].join(' and ')
}
