import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { labelChoices } from '#shared/domain/label-search.ts'
import { labelKey } from '#shared/domain/labels.ts'

const named = (...names: string[]): { name: string }[] => names.map((name) => ({ name }))
const shown = (labels: readonly { name: string }[], typed: string): string[] =>
  labelChoices(labels, typed).map((choice) =>
    choice.kind === 'label' ? choice.label.name : `new: ${choice.name}`,
  )

describe('what a typed label may mean', () => {
  it('is first of all the label of exactly this name, however it is written', () => {
    const labels = named('rose garden', 'Rose', 'primrose')
    expect(shown(labels, 'rose')).toEqual(['Rose', 'rose garden', 'primrose'])
    expect(shown(labels, ' ROSE ')).toEqual(['Rose', 'rose garden', 'primrose'])
    expect(shown(named('Ka\u0308fer'), 'käfer')).toEqual(['Ka\u0308fer'])
  })

  it('is a new label rather than one that only holds the text', () => {
    expect(shown(named('leaf', 'shell', 'stone'), 'el')).toEqual(['new: el', 'shell'])
    expect(shown(named('leaf', 'shell', 'stone'), 's')).toEqual(['shell', 'stone', 'new: s'])
    expect(shown(named('leaf'), '  Big\tleaf ')).toEqual(['new: Big leaf'])
  })

  it('is any label while nothing is typed', () => {
    expect(shown(named('b', 'a'), ' ')).toEqual(['b', 'a'])
  })

  it('can always be had: the exact label is first, and without one a new label is offered', () => {
    const name = fc.string({ minLength: 1, maxLength: 6, unit: fc.constantFrom('a', 'A', 'b', 'ä', ' ') })
    fc.assert(
      fc.property(fc.uniqueArray(name, { selector: labelKey }), name, (names, typed) => {
        const labels = named(...names)
        const choices = labelChoices(labels, typed)
        const exact = names.find((each) => labelKey(each) === labelKey(typed))
        const news = choices.filter(({ kind }) => kind === 'new')
        if (labelKey(typed) === '') expect(choices).toHaveLength(labels.length)
        else if (exact === undefined) expect(news).toHaveLength(1)
        else expect([choices[0], news]).toEqual([{ kind: 'label', label: { name: exact } }, []])
      }),
    )
  })
})
