import type { z } from 'zod'
import { KestrelError } from '../../errors/index.ts'
import { requireSound } from './describe.ts'
import { networkSpecSchema, type Layer, type NetworkSpec } from './spec.ts'

/** Characters; a network of 200 layers takes a tenth of this. */
const maxText = 200_000

/**
 * Reads a network from JSON that anybody may have written.
 * @throws KestrelError `bad-request` saying in words what is wrong with it; `too-large` for more text than a network takes.
 */
export function readNetworkSpec(text: string): NetworkSpec {
  if (text.length > maxText)
    throw new KestrelError('too-large', 'This file is too large for the description of a network.')
  const parsed = networkSpecSchema.safeParse(parseJson(text), { reportInput: true })
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new KestrelError('bad-request', `This is not a network that Kestrel can read: ${inWords(issue)}.`, {
      remedy: 'Compare the file with one that Kestrel has saved.',
      cause: parsed.error,
    })
  }
  requireSound(parsed.data)
  return parsed.data
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new KestrelError('bad-request', 'This file is not JSON.', {
      remedy: `Check commas and brackets${error instanceof Error ? ` (${error.message})` : ''}.`,
      cause: error,
    })
  }
}

function inWords(issue: z.core.$ZodIssue | undefined): string {
  if (issue === undefined) return 'it is not well formed'
  const [first, index, ...rest] = issue.path
  const inner = rest[0] === 'layers' && typeof rest[1] === 'number' ? rest[1] : null
  const field = inner === null ? rest : rest.slice(2)
  const place =
    first === 'layers' && typeof index === 'number'
      ? `layer ${index + 1}${inner === null ? '' : `.${inner + 1}`}: `
      : ''
  const names = (place === '' ? issue.path : field).map(String)
  return `${place}${names.length === 0 ? '' : `"${names.join('.')}": `}${complaint(issue)}`
}

function complaint(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'unrecognized_keys':
      return `there is no setting "${issue.keys.join('", "').slice(0, 100)}"`
    case 'too_big':
      return `at most ${issue.maximum}`
    case 'too_small':
      return `at least ${issue.minimum}`
    case 'invalid_value':
      return `${issue.values.length > 1 ? 'one of ' : 'it has to be '}${issue.values.map((value) => JSON.stringify(value)).join(', ')}`
    case 'invalid_type':
      return issue.input === undefined ? 'it is missing' : `${article(issue.expected)} was expected`
    default:
      return issue.message
  }
}

const article = (type: string): string =>
  type === 'int' ? 'a whole number' : /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`

/** JSON with one layer a line, everything written out. `readNetworkSpec` gives the same network back. */
export function writeNetworkSpec(spec: NetworkSpec): string {
  const { layers, ...head } = spec
  const settings = Object.entries(head).map(([key, value]) => `  ${JSON.stringify(key)}: ${inline(value)},`)
  const lines = layers.map((layer) => `    ${layerLine(layer)}`)
  return ['{', ...settings, '  "layers": [', lines.join(',\n'), '  ]', '}', ''].join('\n')
}

function layerLine(layer: Layer): string {
  if (layer.type !== 'residual') return inline(layer)
  const inner = layer.layers.map((each) => `        ${inline(each)}`)
  return ['{ "type": "residual", "layers": [', inner.join(',\n'), '      ] }'].join('\n')
}

/** JSON on one line, with the spaces that people put. */
function inline(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return JSON.stringify(value)
  const entries = Object.entries(value).filter(([, each]) => each !== undefined)
  return `{ ${entries.map(([key, each]) => `${JSON.stringify(key)}: ${inline(each)}`).join(', ')} }`
}
