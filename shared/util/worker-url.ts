/**
 * Address of a worker thread's file, from source (`./x-worker.ts` beside the caller) and from the built bundle, where
 * every `*-worker.ts` of the tree is an entry of its own, `x-worker.mjs`, in the folder all chunks lie in.
 *
 * @param source relative address of the worker's source file, ending in `-worker.ts`
 * @param caller `import.meta.url` of the calling module
 * @throws TypeError when the file is not named like a worker, because the build would not find it
 */
export function workerUrl(source: string, caller: string): URL {
  const name = /([^/]+-worker)\.ts$/.exec(source)?.[1]
  if (name === undefined)
    throw new TypeError(`"${source}" must end in -worker.ts, or the build does not see it`)
  return caller.endsWith('.ts') ? new URL(source, caller) : new URL(`./${name}.mjs`, caller)
}
