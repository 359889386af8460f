import { describe, expect, it } from 'vitest'
import { checkGradients } from '#trainer/autodiff/gradient-check.ts'
import { gradientCheckSuite } from '#trainer/autodiff/gradient-suite/index.ts'
import { gradientRules } from '#trainer/autodiff/rules/index.ts'
import { referenceEngine } from '#trainer/engines/reference/engine.ts'

/** Cases that stand on a kink on purpose. */
const onKinks = new Set([
  'Max pooling of ties',
  'Global max pooling of ties',
  'Max of ties',
  'ReduceMax of ties',
  'Absolute values of zeros',
  'L1 penalty at zero',
])

const suite = gradientCheckSuite()

describe('analytic gradients are the numeric ones, to 1e-6 in 64 bits', () => {
  it.each(suite.map((each) => [`${each.kind}: ${each.name}`, each] as const))('%s', async (_, each) => {
    const rows = await checkGradients(referenceEngine, each, { most: 256 })
    expect(rows.map(({ name }) => name)).toEqual(each.values)
    for (const row of rows) {
      expect(row.checked, row.name).toBe(row.elements)
      expect(row.relativeError, `${row.name} ${JSON.stringify(row.worst)}`).toBeLessThanOrEqual(1e-6)
    }
    expect(rows.some(({ kinks }) => kinks > 0)).toBe(onKinks.has(each.name))
  })
})

describe('the suite', () => {
  it('has every operator that has a rule, but for one whose gradient is zero everywhere', () => {
    const used = new Set(
      suite.flatMap(({ graph }) =>
        graph.nodes.map(({ op, domain }) => (domain === '' ? op : `${domain}::${op}`)),
      ),
    )
    const missing = Object.keys(gradientRules).filter((op) => !used.has(op))
    expect(missing).toEqual(['Hardmax'])
  })

  it('names its cases once', () => {
    expect(new Set(suite.map(({ name }) => name)).size).toBe(suite.length)
  })

  it('draws other numbers for another seed, and the same for the same', () => {
    const [one, same, other] = [1, 1, 2].map((seed) => gradientCheckSuite(seed)[0]!.feeds)
    expect(same).toEqual(one)
    expect(other).not.toEqual(one)
  })
})
