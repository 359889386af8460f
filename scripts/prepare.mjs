// npm's `prepare` step: builds once after `npm ci`, so that the first start is quick. It never fails an installation:
// `npm start` and `kestrel` build by themselves and show what is wrong.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { findNode } from './lib/node24.mjs'
import { root } from './lib/stamp.mjs'

const node = findNode()
// Without the tools of development (`npm ci --omit=dev`) there is nothing to build with.
const canBuild = node !== null && existsSync(join(root, 'node_modules', 'rolldown', 'package.json'))
if (canBuild) {
  const build = spawnSync(node, [join(root, 'scripts', 'build.ts')], { stdio: 'inherit' })
  if (build.status !== 0) console.error('Kestrel is installed, but not built yet: "npm run build" shows why.')
}
