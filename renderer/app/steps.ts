/** The five steps of a project, in order; each is a place of its own. */
export const steps = ['pictures', 'train', 'results', 'use', 'export'] as const
export type Step = (typeof steps)[number]
