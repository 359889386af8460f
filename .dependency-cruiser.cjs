// The arrows of the house: shared ← imaging ← studio, trainer ← cli; shared ← main, preload; shared ← renderer.
const nodeModules = `^(node:)?(${require('node:module')
  .builtinModules.filter((name) => !/[:/]/.test(name))
  .join('|')})(/|$)`

const only = (name, comment, from, allowed) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: '^(electron|renderer|shared|scripts|tests)/', pathNot: [from, ...allowed] },
})

const packageOnlyIn = (name, comment, packages, places) => ({
  name,
  comment,
  severity: 'error',
  from: { path: '^(electron|renderer|shared)/', pathNot: places },
  to: { path: packages, dependencyTypesNot: ['type-only'] },
})

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    only('shared-knows-nobody', 'shared is below everything.', '^shared/', []),
    only(
      'imaging-knows-shared',
      'imaging is used by studio and trainer, and knows neither.',
      '^electron/imaging/',
      ['^shared/'],
    ),
    only(
      'studio-knows-imaging',
      'The studio starts trainers and talks to them; it never imports one.',
      '^electron/studio/',
      ['^shared/', '^electron/imaging/'],
    ),
    only(
      'trainer-knows-imaging',
      'The trainer never opens the database and never knows a window.',
      '^electron/trainer/',
      ['^shared/', '^electron/imaging/'],
    ),
    only('cli-knows-the-studio', 'The command line uses the same services as the window.', '^electron/cli/', [
      '^shared/',
      '^electron/imaging/',
      '^electron/studio/',
      '^electron/trainer/',
    ]),
    only(
      'main-is-thin',
      'The desktop shell starts processes; it imports none of their code.',
      '^electron/main/',
      ['^shared/'],
    ),
    only('preload-is-thin', 'The preload script is one sandboxed file.', '^electron/preload/', ['^shared/']),
    only('page-knows-shared', 'The page reaches the studio through the contract.', '^renderer/', [
      '^shared/',
    ]),
    {
      name: 'features-stand-alone',
      comment: "A feature of the page uses another one's store and queries, never its insides.",
      severity: 'error',
      from: { path: '^renderer/features/([^/]+)/' },
      to: {
        path: '^renderer/features/',
        pathNot: ['^renderer/features/$1/', '^renderer/features/[^/]+/(store|queries)[.]ts$'],
      },
    },
    packageOnlyIn(
      'electron-in-the-shell',
      'electron only in main and preload.',
      '^node_modules/electron/|^electron$',
      ['^electron/(main|preload)/'],
    ),
    packageOnlyIn('sqlite-in-storage', 'The only SQL is in storage.', '^node_modules/better-sqlite3/', [
      '^electron/studio/storage/',
    ]),
    packageOnlyIn('sharp-in-imaging', 'sharp only in imaging.', '^node_modules/(sharp|@img)/', [
      '^electron/imaging/',
    ]),
    packageOnlyIn(
      'runtimes-in-the-trainer',
      'onnxruntime and TensorFlow.js only in the engines and in the proofs of exports.',
      '^node_modules/(onnxruntime-[^/]+|@tensorflow)/',
      ['^electron/trainer/(engines|export)/'],
    ),
    {
      name: 'page-without-node',
      comment: 'Nothing that the page imports, however far away, may need Node.',
      severity: 'error',
      from: { path: '^renderer/' },
      to: { path: nodeModules, reachable: true },
    },
    {
      name: 'pure-rules-without-node',
      comment: 'shared/domain, contract, errors and jobs run in the page too.',
      severity: 'error',
      from: { path: '^shared/(domain|contract|errors|jobs)/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'processes-use-shipped-packages',
      comment:
        'Packages of studio, trainer, imaging and cli are not bundled: they must be in "dependencies".',
      severity: 'error',
      from: { path: '^electron/(studio|trainer|imaging|cli)/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-circles',
      comment: 'Two files that need each other are one file, or three.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only', 'dynamic-import'] } },
    },
    {
      name: 'nothing-missing',
      comment: 'An import that cannot be found.',
      severity: 'error',
      from: { path: '^(electron|renderer|shared)/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.mjs', '.cjs', '.js', '.vue', '.json'],
    },
    builtInModules: { override: [...require('node:module').builtinModules], add: [] },
  },
}
