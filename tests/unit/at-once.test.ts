import { describe, expect, it } from 'vitest'
import { askedAtOnce } from '#shared/util/at-once.ts'

/** Where each question was answered. */
async function ways(answers: readonly (() => string)[]): Promise<string[]> {
  const ask = askedAtOnce(2)
  const found: string[] = []
  for (const answer of answers)
    found.push(
      await ask(answer, () => Promise.resolve('later')).catch((error: unknown) => (error as Error).message),
    )
  return found
}

const quick = (): string => 'now'
function slow(): string {
  const until = performance.now() + 5
  while (performance.now() < until);
  return 'slowly'
}

describe('a disk that is asked at once', () => {
  it('is asked through the pool for a while after it was slow', async () => {
    const found = await ways([slow, ...new Array<() => string>(64).fill(quick), slow, quick])
    expect(found).toEqual(['slowly', ...new Array<string>(64).fill('later'), 'slowly', 'later'])
  })

  it('may refuse, quickly and slowly', async () => {
    const refuse = (): string => {
      throw new Error('refused')
    }
    const late = (): string => {
      slow()
      return refuse()
    }
    expect(await ways([refuse])).toEqual(['refused'])
    expect(await ways([late, quick])).toEqual(['refused', 'later'])
  })
})
