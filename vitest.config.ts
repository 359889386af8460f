import { defineConfig } from 'vitest/config'

/** Node-side tests. The browser and Electron suites are projects of their own so that they can run alone. */
// Generous, because machines are shared: a test that hangs is found, a slow machine is not punished.
const common = {
  testTimeout: 180_000,
  hookTimeout: 180_000,
  // Waits end as soon as what they wait for is there; a busy machine must not make them fail.
  expect: { poll: { timeout: 30_000, interval: 50 } },
}

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...common,
          name: 'unit',
          include: ['tests/{unit,contract,migrations}/**/*.test.ts'],
          environment: 'node',
        },
      },
      {
        test: {
          ...common,
          name: 'integration',
          include: ['tests/integration/**/*.test.ts'],
          environment: 'node',
        },
      },
      {
        test: {
          ...common,
          name: 'web',
          include: ['tests/e2e/web/**/*.test.ts'],
          environment: 'node',
          testTimeout: 240_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          ...common,
          name: 'electron',
          include: ['tests/e2e/electron/**/*.test.ts'],
          environment: 'node',
          testTimeout: 240_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
