import { createHash } from 'node:crypto'
import type { SplitName, TrainRequest } from '#shared/contract/trainer.ts'
import type { SharedShots, TrainConfig } from '#shared/contract/training.ts'
import { growSplit } from '#shared/domain/split-growth.ts'
import { shotGroups } from '#shared/domain/shot-groups.ts'
import { resolveGivenSplit, sharedAcross } from '#shared/domain/splits.ts'
import type { OpenProject } from '../projects/open-project.ts'
import { createLabelsRepository } from '../storage/labels-repository.ts'
import { createLooksRepository } from '../storage/looks-repository.ts'
import { createPicturesRepository, originalPath } from '../storage/pictures-repository.ts'
import type { RunRecord } from '../storage/runs-repository.ts'
import { createVersionsRepository } from '../storage/versions-repository.ts'
import { createViewsRepository } from '../storage/views-repository.ts'

export interface PlannedPicture {
  pictureId: number
  sha256: string
  /** Absolute. */
  path: string
  /** Index into `classes`. */
  class: number
  split: SplitName
  /** Shared with other pictures of the same shot; its own SHA-256 when it is alone. */
  group: string
}

/** What a training would be trained on, if it began now. */
export interface TrainingPlan {
  /** Labels that have pictures, in the person's order. */
  classes: { labelId: number; name: string; colour: number }[]
  pictures: PlannedPicture[]
  counts: Record<SplitName, number>
  /** Per class, pictures on each side. */
  perClass: Record<SplitName, number>[]
  /** Pictures whose side was given by train/val/test folders. */
  splitFixed: number
  sharedShots: SharedShots
  /** Seed and fractions, as they are stored with the version. */
  options: string
  digest: string
  /** Whether sides differ from those of the last version with these options. */
  splitChanged: boolean
}

/** Pictures as the trainer is told of them; those of one shot stay in one fold there, too. */
export const imagesOf = (pictures: readonly PlannedPicture[]): TrainRequest['images'] =>
  pictures.map(({ pictureId, sha256, path, class: label, split, group }) => ({
    ...{ id: pictureId, sha256, path, label, split },
    ...(group !== sha256 && { group }),
  }))

type SplitChoice = Pick<TrainConfig, 'split' | 'seed' | 'together'>

/** Fractions are stored normalised: 70/15/15 and 0.7/0.15/0.15 are one split. */
function optionsText({ split, seed, together }: SplitChoice): string {
  const sum = split.train + split.val + split.test
  const share = (value: number): number => Math.round((value / sum) * 1e6) / 1e6
  return JSON.stringify({
    ...{ seed, train: share(split.train), val: share(split.val), test: share(split.test) },
    // Shots are not named: divisions from before there was a choice still fit.
    ...(together === 'copies' && { together }),
  })
}

/** @throws RangeError when the fractions are all 0 */
export function planTraining(project: OpenProject, choice: SplitChoice): TrainingPlan {
  const usable = project.use(createPicturesRepository).usable()
  const used = new Set(usable.map(({ labelId }) => labelId))
  const classes = project
    .use(createLabelsRepository)
    .all()
    .filter(({ id }) => used.has(id))
    .map(({ id, name, colour }) => ({ labelId: id, name, colour }))
  const classOf = new Map(classes.map(({ labelId }, index) => [labelId, index]))
  const options = optionsText(choice)
  const before = project.use(createVersionsRepository).sidesSoFar(
    options,
    usable.map(({ id }) => id),
  )
  const shots = groupsOf(project, usable)
  const groups = choice.together === 'copies' ? usable.map(({ sha256 }) => sha256) : shots
  const given = usable.map(({ fixedSplit }) => fixedSplit)
  const sides = growSplit({
    labels: usable.map(({ labelId }) => labelId),
    keys: groups,
    seed: choice.seed,
    fractions: choice.split,
    given,
    previous: usable.map(({ id }) => before.get(id) ?? null),
  })

  const counts = { train: 0, val: 0, test: 0 }
  const perClass = classes.map(() => ({ train: 0, val: 0, test: 0 }))
  const digest = createHash('sha256').update(options)
  const pictures = usable.map(({ id, sha256, file, labelId }, i): PlannedPicture => {
    const split = sides[i]!
    const index = classOf.get(labelId)!
    counts[split]++
    perClass[index]![split]++
    digest.update(`\n${id} ${labelId} ${split}`)
    const path = originalPath(project.folder, file)
    return { pictureId: id, sha256, path, class: index, split, group: groups[i]! }
  })
  return {
    classes,
    pictures,
    counts,
    perClass,
    splitFixed: resolveGivenSplit(given, choice.split).fixed.filter((side) => side !== null).length,
    sharedShots: sharedShots(shots, sides),
    options,
    digest: digest.digest('hex'),
    splitChanged: pictures.some(({ pictureId, split }) => before.get(pictureId) !== split),
  }
}

/** What a run was begun with: pictures, labels and sides as they were frozen, whatever has changed since. */
export function frozenPlan(project: OpenProject, run: RunRecord): TrainingPlan {
  const versions = project.use(createVersionsRepository)
  const items = versions.items(run.versionId)
  const known = new Map(
    project
      .use(createPicturesRepository)
      .list(items.map(({ pictureId }) => pictureId))
      .map((picture) => [picture.id, picture]),
  )
  const counts = { train: 0, val: 0, test: 0 }
  const perClass = run.classes.map(() => ({ train: 0, val: 0, test: 0 }))
  const pictures = items.flatMap((item): PlannedPicture[] => {
    const picture = known.get(item.pictureId)
    if (!picture) return []
    counts[item.split]++
    perClass[item.class]![item.split]++
    const path = originalPath(project.folder, picture.file)
    return [{ ...item, sha256: picture.sha256, path, group: picture.sha256 }]
  })
  const groups = groupsOf(
    project,
    pictures.map(({ pictureId, sha256 }) => ({ id: pictureId, sha256 })),
  )
  return {
    classes: run.classes,
    pictures:
      run.config.together === 'copies'
        ? pictures
        : pictures.map((picture, i) => ({ ...picture, group: groups[i]! })),
    ...{ counts, perClass },
    splitFixed: 0,
    sharedShots: sharedShots(
      groups,
      pictures.map(({ split }) => split),
    ),
    options: optionsText(run.config),
    digest: versions.digest(run.versionId) ?? '',
    splitChanged: false,
  }
}

/** The group of each picture, from what comparing has found among just these. */
function groupsOf(project: OpenProject, pictures: readonly { id: number; sha256: string }[]): string[] {
  const placeOf = new Map(pictures.map(({ id }, place) => [id, place]))
  const pairs: [number, number][] = []
  for (const [a, b] of project.use(createLooksRepository).twins()) {
    const [first, second] = [placeOf.get(a), placeOf.get(b)]
    if (first !== undefined && second !== undefined) pairs.push([first, second])
  }
  return shotGroups(
    pictures.map(({ sha256 }) => sha256),
    pairs,
  )
}

function sharedShots(groups: readonly string[], sides: readonly SplitName[]): SharedShots {
  const sizes = new Map<string, number>()
  for (const group of groups) sizes.set(group, (sizes.get(group) ?? 0) + 1)
  const shared = [...sizes.values()].filter((size) => size > 1)
  return {
    groups: shared.length,
    pictures: shared.reduce((sum, size) => sum + size, 0),
    across: sharedAcross(groups, sides),
  }
}

/** Pictures that take no part in a training. */
export function leftOut(project: OpenProject): { unlabelled: number; excluded: number } {
  let unlabelled = 0
  let excluded = 0
  for (const group of project.use(createViewsRepository).sums().groups) {
    if (group.excluded) excluded += group.pictures
    else if (group.labelId === null) unlabelled += group.pictures
  }
  return { unlabelled, excluded }
}
