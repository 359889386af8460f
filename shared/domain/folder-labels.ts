import type { ImportPlan, LabelRule } from '../contract/projects.ts'
import { labelRules } from '../contract/projects.ts'
import type { SplitName } from '../contract/trainer.ts'
import { labelFromFolder, labelKey } from './labels.ts'

/**
 * How labels and splits follow from folders. Paths are relative to what was dropped, with `/` between folders, and end
 * in the picture's file name: `train/daisy/1.jpg`.
 */

/** How the folders of one import are laid out. Found once for all its pictures, then used for each. */
export interface FolderLayout {
  /** Leading folders all pictures share and that say nothing (`dataset/…`). */
  wrapper: number
  /** Where the train/val/test folders are: first level (below the wrapper), the folder that holds the picture, or nowhere. */
  splitLevel: 'first' | 'last' | null
}

export interface PlacedPicture {
  label: string | null
  split: SplitName | null
}

export type FolderPlan = Pick<
  ImportPlan,
  'pictures' | 'tree' | 'treeTruncated' | 'depth' | 'splitFolders' | 'rules' | 'recommended'
> & { layout: FolderLayout }

const splitFolderNames: Readonly<Record<string, SplitName>> = {
  train: 'train',
  training: 'train',
  val: 'val',
  valid: 'val',
  validate: 'val',
  validation: 'val',
  dev: 'val',
  test: 'test',
  testing: 'test',
}

/** The side a folder name stands for, in any capitals, also with a count or word behind it (`test_set`, `train-images`). */
export function splitOfFolder(name: string): SplitName | null {
  const word = name
    .trim()
    .toLowerCase()
    .replace(/[\s_-]*(set|data|images|imgs|pictures|split)$/, '')
  return Object.hasOwn(splitFolderNames, word) ? splitFolderNames[word]! : null
}

const foldersOf = (path: string): string[] =>
  path
    .split('/')
    .slice(0, -1)
    .filter((name) => name !== '' && name !== '.')

/** Looks at all paths and says how they are laid out. */
export function findLayout(paths: readonly string[]): FolderLayout {
  return layoutOf(paths.map(foldersOf))
}

function layoutOf(folders: readonly (readonly string[])[]): FolderLayout {
  const wrapper = wrapperDepth(folders)
  const inFolders = folders.map((each) => each.slice(wrapper)).filter((each) => each.length > 0)
  const sidesAt = (level: 0 | -1): boolean => {
    const sides = inFolders.map((each) => splitOfFolder(each.at(level)!))
    // One side alone could as well be a label ("train", the vehicle); and every picture in a folder must take part.
    return sides.every((side) => side !== null) && new Set(sides).size >= 2
  }
  if (sidesAt(0)) return { wrapper, splitLevel: 'first' }
  // As the last level only with a label above it.
  if (inFolders.every((each) => each.length >= 2) && sidesAt(-1)) return { wrapper, splitLevel: 'last' }
  return { wrapper, splitLevel: null }
}

/**
 * Folders every picture lies in and that name no label. The outermost one (what was dropped) counts as soon as there
 * are folders below it: pictures loose in it have no label. Further ones only when every picture lies deeper still.
 */
function wrapperDepth(folders: readonly (readonly string[])[]): number {
  for (let depth = 0; ; depth++) {
    const name = folders[0]?.[depth]
    if (name === undefined || splitOfFolder(name) !== null) return depth
    if (!folders.every((each) => each[depth] === name)) return depth
    const deeper = (each: readonly string[]): boolean => each.length > depth + 1
    if (!(depth === 0 ? folders.some(deeper) : folders.every(deeper))) return depth
  }
}

/**
 * The label and split of one picture.
 *
 * Rules: `parent` and `last` take the folder that holds the picture, `first` the outermost one, `path` all of them with
 * ` / ` between, `none` nothing. Split folders are never part of a label. Loose pictures have no label.
 */
export function placePicture(path: string, rule: LabelRule, layout: FolderLayout): PlacedPicture {
  return place(foldersOf(path), rule, layout)
}

function place(all: readonly string[], rule: LabelRule, layout: FolderLayout): PlacedPicture {
  const folders = all.slice(layout.wrapper)
  const splitFolder =
    layout.splitLevel === 'first' ? folders.shift() : layout.splitLevel === 'last' ? folders.pop() : undefined
  const split = splitFolder === undefined ? null : splitOfFolder(splitFolder)
  const named = folders.map(labelFromFolder).filter((name) => name !== null)
  switch (rule) {
    case 'none':
      return { label: null, split }
    case 'first':
      return { label: named[0] ?? null, split }
    case 'path':
      return { label: named.length === 0 ? null : labelFromFolder(named.join(' / ')), split }
    case 'parent':
    case 'last':
      return { label: named.at(-1) ?? null, split }
  }
}

/** Folders shown before an import, at most. */
const TREE_LIMIT = 500

/** Everything the import dialog shows that follows from names alone. */
export function planFolders(paths: readonly string[], rootName = ''): FolderPlan {
  const folders = paths.map(foldersOf)
  const layout = layoutOf(folders)
  const results = labelRules.map((rule) => ({ rule, ...labelsBy(folders, rule, layout) }))
  const rules = distinctRules(results)
  const recommended = recommend(results, paths.length)
  const tree = folderTree(folders, rootName)
  const placed = folders.map((each) => place(each, 'none', layout).split)
  const side = (name: SplitName): number => placed.filter((split) => split === name).length
  return {
    pictures: paths.length,
    tree: tree.slice(0, TREE_LIMIT),
    treeTruncated: tree.length > TREE_LIMIT,
    depth: folders.reduce((deepest, each) => Math.max(deepest, each.length), 0),
    splitFolders:
      layout.splitLevel === null ? null : { train: side('train'), val: side('val'), test: side('test') },
    rules: [
      ...rules.filter(({ rule }) => rule === recommended),
      ...rules.filter(({ rule }) => rule !== recommended),
    ],
    recommended,
    layout,
  }
}

type RuleResult = ImportPlan['rules'][number]

function labelsBy(
  folders: readonly (readonly string[])[],
  rule: LabelRule,
  layout: FolderLayout,
): Omit<RuleResult, 'rule'> {
  const labels = new Map<string, { name: string; pictures: number }>()
  let unlabelled = 0
  for (const each of folders) {
    const { label } = place(each, rule, layout)
    if (label === null) {
      unlabelled++
      continue
    }
    // Folders that differ only in capitals are one label, spelt as it was met first.
    const key = labelKey(label)
    const known = labels.get(key)
    if (known) known.pictures++
    else labels.set(key, { name: label, pictures: 1 })
  }
  return { labels: [...labels.values()].sort((a, b) => compareNames(a.name, b.name)), unlabelled }
}

/** Names as a person sorts them: 2 before 10, capitals aside. The same on every machine, whatever its language. */
const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' })
export const compareNames = (a: string, b: string): number =>
  collator.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0)

/** One entry per distinct outcome: a rule that gives what an earlier one gives is no choice. `none` always stays. */
function distinctRules(results: readonly RuleResult[]): RuleResult[] {
  const seen = new Set<string>()
  return results.filter(({ rule, labels, unlabelled }) => {
    const outcome = JSON.stringify([labels, unlabelled])
    if (rule === 'none') return true
    if (labels.length === 0 || seen.has(outcome)) return false
    seen.add(outcome)
    return true
  })
}

/** Fewer pictures per label than this are no class but a folder per thing (one animal, one day, one patient). */
const FEW_PER_LABEL = 3

function recommend(results: readonly RuleResult[], pictures: number): LabelRule {
  const of = (rule: LabelRule): RuleResult => results.find((result) => result.rule === rule)!
  const parent = of('parent')
  if (parent.labels.length === 0) return 'none'
  const first = of('first')
  const scattered = pictures < parent.labels.length * FEW_PER_LABEL
  const firstHolds = first.labels.length >= 2 && pictures >= first.labels.length * FEW_PER_LABEL
  return scattered && firstHolds ? 'first' : 'parent'
}

/** Folders with the pictures directly in them, parents before children, in the order of names. */
function folderTree(folders: readonly (readonly string[])[], rootName: string): FolderPlan['tree'] {
  const direct = new Map<string, number>([['', 0]])
  for (const each of folders) {
    for (let level = 1; level <= each.length; level++) {
      const path = each.slice(0, level).join('/')
      if (!direct.has(path)) direct.set(path, 0)
    }
    const own = each.join('/')
    direct.set(own, direct.get(own)! + 1)
  }
  const byLevels = (a: readonly string[], b: readonly string[]): number => {
    for (let level = 0; level < Math.min(a.length, b.length); level++) {
      const order = compareNames(a[level]!, b[level]!)
      if (order !== 0) return order
    }
    return a.length - b.length
  }
  return Array.from(direct, ([path, pictures]) => ({
    path,
    pictures,
    levels: path === '' ? [] : path.split('/'),
  }))
    .sort((a, b) => byLevels(a.levels, b.levels))
    .map(({ path, pictures, levels }) => ({
      path,
      name: levels.at(-1) ?? rootName,
      depth: levels.length,
      pictures,
    }))
}
