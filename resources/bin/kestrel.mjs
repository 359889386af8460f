#!/usr/bin/env node
// The `kestrel` command. Runs on any Node from 18 on and hands over to the Node 24 that comes with the project, because
// the command itself is written for it. Builds first when there is no build or the sources have changed.
import { spawn, spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findNode, nodeFlags } from '../../scripts/lib/node24.mjs'
import { handOverSignals } from '../../scripts/lib/signals.mjs'
import { buildState } from '../../scripts/lib/stamp.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

const node = findNode()
if (node === null) {
  console.error(
    'Kestrel needs Node 24. Run "npm ci" in its folder once (that brings its own), then try again.',
  )
  process.exit(1)
}

const state = buildState()
if (state !== 'fresh') {
  // Everything the build says goes to stderr: stdout belongs to the command's answer.
  const build = spawnSync(node, [join(root, 'scripts', 'build.ts')], { stdio: ['ignore', 2, 2] })
  if (build.status !== 0 && state === 'missing') process.exit(1)
  if (build.status !== 0) console.error('Going on with the last build that worked.')
}

const child = spawn(node, [...nodeFlags, join(root, 'out', 'node', 'cli.mjs'), ...process.argv.slice(2)], {
  stdio: 'inherit',
})
const { exitCode } = handOverSignals(child)
child.once('error', (error) => {
  console.error(`Kestrel could not be started: ${error.message}`)
  process.exit(1)
})
child.once('exit', (code, signal) => process.exit(exitCode(code, signal)))
