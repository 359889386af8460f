import type { Backbone } from '#shared/contract/use.ts'
import type { CatalogueEntry } from './catalogue.ts'
import type { FolderBackbone } from './folder-source.ts'
import { architectureOfId, nameOf, preferenceOf, wordsOf } from './known-architectures.ts'
import type { BackboneInfo } from './store.ts'

type Listed = Omit<Backbone, 'rate'>

export const fromCatalogue = (entry: CatalogueEntry, downloading: boolean): Listed => ({
  id: entry.id,
  name: entry.name,
  words: entry.words,
  architecture: entry.architecture,
  inputSize: entry.inputSize,
  featureLength: entry.featureLength,
  bytes: entry.bytes,
  licence: entry.licence,
  state: downloading ? 'downloading' : 'available',
  source: 'catalogue',
  detail: null,
})

export function fromFolder(entry: FolderBackbone, source: 'folder' | 'built-in'): Listed {
  const architecture = architectureOfId(entry.id)
  return {
    id: entry.id,
    name: nameOf(architecture, entry.id),
    words: wordsOf(architecture),
    architecture,
    inputSize: entry.inputSize,
    featureLength: entry.featureLength,
    bytes: entry.bytes,
    licence: entry.licence,
    state: entry.problem === null ? 'ready' : 'broken',
    source,
    detail: entry.problem,
  }
}

export const fromStore = (info: BackboneInfo, problem: string | null): Listed => ({
  id: info.id,
  name: info.name,
  words: info.words,
  architecture: info.architecture,
  inputSize: Math.max(info.preprocessing.size.width, info.preprocessing.size.height),
  featureLength: info.featureLength,
  bytes: info.originalBytes,
  licence: info.licence,
  state: problem === null ? 'ready' : 'broken',
  source: info.origin === 'added' || info.origin === 'built-in' ? info.origin : 'store',
  detail: problem,
})

/** A folder of the store whose description cannot be read. */
export const undescribed = (id: string, problem: string): Listed => ({
  id,
  name: id,
  words: '',
  architecture: 'unknown',
  inputSize: 0,
  featureLength: 0,
  bytes: 0,
  licence: '',
  state: 'broken',
  source: 'store',
  detail: problem,
})

const states: readonly Backbone['state'][] = ['ready', 'downloading', 'available', 'broken']

/** A file of the person's own may be worth anything: it is there to be chosen, never by itself before Kestrel's own. */
const turnOf = ({ source }: Listed): number => (source === 'added' ? 2 : source === 'built-in' ? 1 : 0)

/**
 * Ready ones first, the best of each first: the first ready one is the default. What Kestrel brings along comes after those
 * that are known and were got on purpose.
 */
export const byPreference = (a: Listed, b: Listed): number =>
  states.indexOf(a.state) - states.indexOf(b.state) ||
  turnOf(a) - turnOf(b) ||
  preferenceOf(a) - preferenceOf(b) ||
  a.id.localeCompare(b.id)
