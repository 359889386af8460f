import { KestrelError } from '#shared/errors/index.ts'
import { compareEngines } from '#trainer/autodiff/engine-check.ts'
import { checkGradients } from '#trainer/autodiff/gradient-check.ts'
import type { GradientVerdict } from '#trainer/autodiff/gradient-check.ts'
import { gradientCheckSuite } from '#trainer/autodiff/gradient-suite/index.ts'
import { engineFor } from '#trainer/engines/choose.ts'
import type { GradcheckCommand } from '../command.ts'
import type { CliContext } from '../context.ts'

interface CheckedCase {
  kind: string
  name: string
  /** The worst of its values. */
  relativeError: number
  /** No difference is larger than what rounding alone does to it; `relativeError` is 0. */
  belowNoise: boolean
  verdict: GradientVerdict
}

const order: readonly GradientVerdict[] = ['good', 'acceptable', 'doubtful', 'wrong']

/**
 * Shows for every layer, activation, loss and penalty how far its gradient is from the central difference (`reference`), or
 * from the 64-bit gradient (another engine).
 * @throws KestrelError `not-found` when no case has that name, `internal` when a gradient is wrong
 */
export async function gradcheck(command: GradcheckCommand, context: CliContext): Promise<void> {
  const { terminal, signal } = context
  const cases = gradientCheckSuite().filter(
    ({ name }) => command.only === null || name.includes(command.only),
  )
  if (cases.length === 0)
    throw new KestrelError('not-found', `Nothing in the list is called "${command.only}".`, {
      remedy: 'Run "kestrel gradcheck" for the whole list.',
    })
  const reference = await engineFor('reference')
  const engine = await engineFor(command.engine)
  const byDifferences = command.engine === 'reference'
  const checked: CheckedCase[] = []
  for (const each of cases) {
    signal.throwIfAborted()
    const rows = byDifferences
      ? await checkGradients(reference, each)
      : await compareEngines(engine, reference, each)
    const worst = rows.reduce((a, b) => (b.relativeError > a.relativeError ? b : a))
    const verdict = order[Math.max(...rows.map((row) => order.indexOf(row.verdict)))]!
    const { relativeError } = worst
    const belowNoise = byDifferences && relativeError === 0
    checked.push({ kind: each.kind, name: each.name, relativeError, belowNoise, verdict })
    const figure = belowNoise ? '≤ noise' : relativeError.toExponential(1)
    terminal.print(`${verdict.padEnd(11)} ${figure.padStart(8)}  ${each.kind} ${each.name}`)
  }
  const count = (verdict: GradientVerdict): number => checked.filter((row) => row.verdict === verdict).length
  const figures = {
    cases: checked.length,
    good: count('good'),
    acceptable: count('acceptable'),
    doubtful: count('doubtful'),
    wrong: count('wrong'),
  }
  terminal.print(
    `${figures.cases} checked: ${order.map((verdict) => `${figures[verdict]} ${verdict}`).join(', ')}.`,
  )
  if (checked.some(({ belowNoise }) => belowNoise))
    terminal.print(
      '≤ noise: the gradient and the central difference lie no further apart than rounding alone can move the difference; nothing smaller can be told.',
    )
  terminal.answer({
    engine: command.engine,
    against: byDifferences ? 'differences' : 'reference',
    ...figures,
    rows: checked,
  })
  if (figures.wrong > 0)
    throw new KestrelError('internal', `${figures.wrong} of ${figures.cases} gradients are wrong.`)
}
