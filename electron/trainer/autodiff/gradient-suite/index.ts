import { activationCases } from './activations.ts'
import { blockCases } from './blocks.ts'
import { layerCases } from './layers.ts'
import { lossCases, regulariserCases } from './losses.ts'
import { operatorCases } from './operators.ts'
import { sketched } from './sketch.ts'
import type { CaseKind, CaseTable, GradientCase } from './types.ts'

const tables: Readonly<Record<CaseKind, CaseTable>> = {
  layer: layerCases,
  block: blockCases,
  activation: activationCases,
  operator: operatorCases,
  loss: lossCases,
  regulariser: regulariserCases,
}

/**
 * Every layer, block, activation, operator, loss and regulariser as a small graph, to be given to `checkGradients`.
 * @param seed of the numbers the graphs are tried on.
 */
export function gradientCheckSuite(seed = 1): GradientCase[] {
  return Object.entries(tables).flatMap(([kind, table]) =>
    Object.entries(table).map(([name, entry]): GradientCase => {
      const { draw, ...options } = typeof entry === 'function' ? { draw: entry } : entry
      return { kind: kind as CaseKind, name, ...sketched(name, draw, { seed, ...options }) }
    }),
  )
}
