import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { DistillRequest } from '#shared/contract/trainer.ts'
import { planDistillation } from '#shared/domain/distillation/plan.ts'
import { hashFile } from '#studio/backbones/hash-file.ts'
import { viewsOf } from '#shared/domain/distillation/views.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { writeFileWhole } from '#shared/util/write-file-whole.ts'
import type { DistillCommand } from '../command.ts'
import type { CliContext } from '../context.ts'
import { distillationCard, type DistillationReport } from '../distillation-card.ts'
import { hashAll } from '../hashed.ts'
import { Interrupted } from '../interrupt.ts'
import { findPictures } from '../pictures.ts'
import { withStudio } from '../studio.ts'
import { teacherFor } from '../teacher.ts'

/** Of 256 pictures so many are held back to see how far the student gets, chosen by their SHA-256. */
const HELD_BACK = 10
/** The whole student, beside the backbone: what another distillation can go on from. */
const STUDENT = 'student.onnx'

/** Makes a small backbone out of a large one. */
export async function distill(command: DistillCommand, context: CliContext): Promise<void> {
  const { terminal, signal } = context
  const out = resolve(command.out)
  const begin = studentOf(command.begin)
  const { pictures, refused, reserved } = await gather(command, context)
  if (command.probes.length > 0)
    terminal.say(
      reserved === 0
        ? 'The --probe folders hold no pictures that are reserved.'
        : reserved === 1
          ? '1 picture is reserved by the --probe folders and is left out.'
          : `${reserved} pictures are reserved by the --probe folders and are left out.`,
    )
  await withStudio(context, async (studio) => {
    const teacher = await teacherFor(command.teacher, { studio, context, out })
    await mkdir(join(out, 'state'), { recursive: true })
    const plan = planDistillation({
      ...{ student: command.student, size: command.size, epochs: command.epochs },
      featureLength: teacher.featureLength,
      begun: begin !== null,
    })
    const images = imagesOf(pictures, command)
    const target = join(out, 'backbone.onnx')
    const result = await studio.pool
      .long<'distill'>(
        {
          kind: 'distill',
          ...{ teacher, images, begin, target, seed: command.seed, engine: command.engine },
          studentTarget: join(out, STUDENT),
          ...plan,
          cacheDir: join(out, 'cache'),
          checkpointDir: join(out, 'state'),
        },
        {
          signal,
          onProgress: ({ stage, done, total, rate }) =>
            terminal.progress({
              ...{ stage, done, total, rate },
              etaSeconds: rate === null || rate <= 0 ? null : (total - done) / rate,
            }),
          onMetric: ({ step, trainLoss, valAccuracy }) =>
            terminal.say(
              `Epoch ${step} of ${command.epochs}: loss ${trainLoss.toFixed(4)}${valAccuracy === null ? '' : `, agreement on held-back pictures ${valAccuracy.toFixed(4)}`}`,
            ),
        },
      )
      .catch((error: unknown) => {
        throw signal.aborted && error instanceof KestrelError && error.code === 'stopped'
          ? interrupted
          : error
      })
    terminal.clear()
    const report: DistillationReport = {
      kestrel: context.version,
      teacher: { id: teacher.id, name: teacher.name, licence: teacher.licence, sha256: teacher.sha256 },
      ...{ student: command.student, size: command.size, seed: command.seed, engine: command.engine },
      ...{ views: command.views, epochs: result.epochs },
      begin:
        begin === null
          ? null
          : { folder: basename(resolve(command.begin!)), sha256: await hashFile(begin, 'sha256') },
      pictures: {
        folders: command.pictures.map((folder) => basename(resolve(folder))),
        probes: command.probes.map((folder) => basename(resolve(folder))),
        used: pictures.length - result.failed.length,
        skipped: refused.length + result.failed.length,
        reserved,
      },
      featureLength: result.featureLength,
      parameters: result.parameters,
      bytes: result.bytes,
      sha256: result.sha256,
      preprocessing: result.preprocessing,
      ...{ agreement: result.agreement, sizes: result.sizes },
      ...{ fitting: plan.fitting, augmentation: plan.augmentation, objective: plan.objective },
      network: plan.network,
      timings: result.timings,
      stopped: result.stopped,
      path: target,
    }
    await writeFileWhole(join(out, 'result.json'), `${JSON.stringify(report, null, 2)}\n`)
    await writeFileWhole(join(out, 'card.md'), distillationCard(report))
    terminal.print(
      `${target}: ${(result.bytes / 1e6).toFixed(2)} MB, ${result.featureLength} features${result.agreement === null ? '' : `, agreement with ${teacher.name} ${result.agreement.toFixed(3)}`}.`,
    )
    terminal.answer(report)
  })
}

const interrupted = new Interrupted({
  kept: 'What the teacher said so far, and the last finished epoch, are kept.',
  remedy: 'The same command goes on from there.',
})

/** @throws KestrelError `not-found` when nothing was made there. */
function studentOf(folder: string | null): string | null {
  if (folder === null) return null
  const file = join(resolve(folder), STUDENT)
  if (existsSync(file)) return file
  throw new KestrelError('not-found', `There is no ${STUDENT} in ${folder}.`, {
    kept: 'Nothing was changed.',
    remedy: 'Name the --out of a distillation that has ended.',
  })
}

interface Picture {
  sha256: string
  path: string
}

/** Every picture once, in an order that depends on their contents only; none that a probe is tested on, wherever else it lies. */
async function gather(
  { pictures, probes }: DistillCommand,
  { signal }: CliContext,
): Promise<{ pictures: Picture[]; refused: unknown[]; reserved: number }> {
  const found = new Map<string, Picture>()
  const refused: unknown[] = []
  const take = async (folders: readonly string[]): Promise<string[]> => {
    if (folders.length === 0) return []
    const hashed = await hashAll(await findPictures(folders, signal))
    refused.push(...hashed.refused)
    for (const { file, sha256 } of hashed.readable) found.set(sha256, { sha256, path: file.path })
    return hashed.readable.map(({ sha256 }) => sha256)
  }
  await take(pictures)
  const reserved = new Set((await take(probes)).filter(isReserved))
  for (const sha256 of reserved) found.delete(sha256)
  return {
    pictures: [...found.values()].sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1)),
    ...{ refused, reserved: reserved.size },
  }
}

/** Three of sixteen pictures of a probe folder: nobody can choose which. */
export const isReserved = (sha256: string): boolean => /^[012]/.test(sha256)

function imagesOf(pictures: readonly Picture[], { views, seed }: DistillCommand): DistillRequest['images'] {
  return pictures.flatMap(({ sha256, path }, picture) =>
    viewsOf(sha256, views, seed).map((region, view) => ({
      id: picture * views + view,
      path,
      // All views of a picture are on one side.
      split: Number.parseInt(sha256.slice(-2), 16) < HELD_BACK ? ('val' as const) : ('train' as const),
      ...(region
        ? {
            region,
            sha256: createHash('sha256')
              .update(`${sha256} ${JSON.stringify(region)}`)
              .digest('hex'),
          }
        : { sha256 }),
    })),
  )
}
