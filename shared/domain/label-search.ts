import { labelKey, tidyLabelName } from './labels.ts'

/** What a typed text may mean: a label there is, or a new one of that name. */
export type LabelChoice<Label> = { kind: 'label'; label: Label } | { kind: 'new'; name: string }

/**
 * What a person may mean who has typed this, the likeliest first: the label of exactly this name, those that begin with
 * it, a new label of this name, those that have it somewhere inside. The new one comes before the last of these: a name
 * that was typed in full must not turn into another one only because that holds it ("el", "shell").
 * @param labels in the order in which equally likely ones are shown
 * @returns all labels, in their order, when nothing is typed
 */
export function labelChoices<Label extends { name: string }>(
  labels: readonly Label[],
  typed: string,
): LabelChoice<Label>[] {
  const asked = labelKey(typed)
  if (asked === '') return labels.map((label) => ({ kind: 'label', label }))
  const exact: LabelChoice<Label>[] = []
  const begins: LabelChoice<Label>[] = []
  const holds: LabelChoice<Label>[] = []
  for (const label of labels) {
    const key = labelKey(label.name)
    const among = key === asked ? exact : key.startsWith(asked) ? begins : key.includes(asked) ? holds : null
    among?.push({ kind: 'label', label })
  }
  const made: LabelChoice<Label>[] = exact.length > 0 ? [] : [{ kind: 'new', name: tidyLabelName(typed) }]
  return [...exact, ...begins, ...made, ...holds]
}
