import type { StudioEvent } from '#shared/contract/system.ts'

type Changed = Extract<StudioEvent, { type: 'changed' }>

/** What of a project a query shows; the words of the `changed` event. */
export type ProjectPart = Changed['what'][number]

/**
 * Keys of server state. A `changed` event makes every query stale whose key begins with
 * `['project', id, part]`, so a query only has to be filed under what it shows.
 */
export const queryKeys = {
  part: (projectId: string, part: ProjectPart, ...rest: (string | number | null)[]) =>
    ['project', projectId, part, ...rest] as const,
  counts: (projectId: string) => queryKeys.part(projectId, 'pictures', 'counts'),
  picture: (projectId: string, pictureId: number) => queryKeys.part(projectId, 'pictures', 'one', pictureId),
  problems: (projectId: string) => queryKeys.part(projectId, 'pictures', 'problems'),
  project: (projectId: string) => queryKeys.part(projectId, 'project', 'self'),
  runs: (projectId: string) => queryKeys.part(projectId, 'runs', 'list'),
  recent: () => ['recent'] as const,
  settings: () => ['settings'] as const,
  info: () => ['info'] as const,
  engines: () => ['engines'] as const,
  backbones: () => ['backbones'] as const,
  backboneProblems: () => ['backbones', 'problems'] as const,
}
