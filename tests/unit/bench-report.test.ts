import { describe, expect, it } from 'vitest'
import { benchmarkPage, reached } from '../../scripts/bench/report.ts'

const base = { group: 'Import', name: 'studio', value: 312.4, unit: 'img/s' }

describe('the page of benchmarks', () => {
  it('shows figure, target, verdict and what it is held against', () => {
    const page = benchmarkPage([
      {
        file: 'import.bench.ts',
        at: '2026-11-24T02:00:00.000Z',
        machine: '2 × CPU',
        load: 0.1,
        results: [
          {
            ...base,
            target: { atLeast: 300 },
            reference: { name: 'bare sharp', value: 500, unit: 'img/s' },
            note: 'a | b',
          },
          { ...base, name: 'fit', value: 0.4123, unit: 's', target: { atMost: 0.3 } },
        ],
      },
    ])
    expect(page).toContain(
      '| studio | **312 img/s** | ≥ 300 img/s | yes | bare sharp: 500 img/s (× 0.62) | a \\| b |',
    )
    expect(page).toContain('| fit | **0.412 s** | ≤ 0.300 s | NO |  |  |')
    expect(page).toContain('Measured 2026-11-24 on 2 × CPU.')
  })

  it('says when the machine was busy', () => {
    const page = benchmarkPage([{ file: 'x', at: '2026-11-24', machine: 'm', load: 3, results: [base] }])
    expect(page).toContain('load 3.0 per core')
  })

  it('knows what is reached', () => {
    expect(reached({ ...base })).toBe(true)
    expect(reached({ ...base, target: { atMost: 1 } })).toBe(false)
  })
})
