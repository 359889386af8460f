import { readFile } from 'node:fs/promises'
import type { TrainerExit } from '../parent-link.ts'
import type { TrainerRequest } from '#shared/contract/trainer.ts'
import { KestrelError } from '#shared/errors/index.ts'

/**
 * How often the kernel has ended a process for want of memory, in this control group and on the whole machine; null
 * where the system does not say (not Linux). SIGKILL alone does not tell: a person may have sent it.
 */
export async function memoryKills(platform: NodeJS.Platform = process.platform): Promise<number | null> {
  if (platform !== 'linux') return null
  const counts = await Promise.all(['/sys/fs/cgroup/memory.events', '/proc/vmstat'].map(oomKillsIn))
  return counts.reduce((sum, count) => sum + count, 0)
}

async function oomKillsIn(file: string): Promise<number> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    // Older kernels and some containers do not have the file: then it says nothing.
    if (error instanceof Error && 'code' in error) return ''
    throw error
  })
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0)
}

/** Windows: STATUS_NO_MEMORY, STATUS_COMMITMENT_LIMIT, and what Chromium's processes end with when memory is used up. */
const memoryCodes = new Set([0xc0000017, 0xc000012d, 0xe0000008])

export function diedOfMemory(
  exit: TrainerExit,
  killsBefore: number | null,
  killsAfter: number | null,
): boolean {
  if (exit.code !== null && memoryCodes.has(exit.code >>> 0)) return true
  const killed = exit.signal === 'SIGKILL' || exit.code === 137
  return killed && killsBefore !== null && killsAfter !== null && killsAfter > killsBefore
}

const doing: Record<TrainerRequest['kind'], string> = {
  hello: 'looking at this computer',
  'prepare-backbone': 'preparing the backbone',
  features: 'reading the pictures',
  train: 'training',
  distill: 'making a small backbone',
  measure: 'weighing models',
  predict: 'looking at the pictures',
  export: 'writing the export',
}

const kept: Record<TrainerRequest['kind'], string> = {
  hello: 'Nothing was lost.',
  'prepare-backbone': 'Nothing was lost.',
  features: 'What was computed before is kept.',
  train: 'Your pictures, labels and earlier trainings are safe, and the features computed so far are kept.',
  measure: 'Nothing was lost.',
  distill: 'Your pictures are safe, and the last finished epoch is kept.',
  predict: 'What was finished before is kept.',
  export: 'Your project and earlier exports are safe.',
}

/** What a request ends with when its process is gone. The exit code goes into the cause, for the log. */
export function crashError(
  kind: TrainerRequest['kind'],
  exit: TrainerExit,
  outOfMemory: boolean,
): KestrelError {
  const cause = new Error(`trainer exited with code ${exit.code}, signal ${exit.signal} during ${kind}`)
  if (outOfMemory)
    return new KestrelError('out-of-memory', `The memory of this computer ran out while ${doing[kind]}.`, {
      kept: kept[kind],
      remedy: 'Close other programs and try again, or choose a smaller backbone.',
      cause,
    })
  return new KestrelError(
    'training-crashed',
    `The training process ended unexpectedly while ${doing[kind]}.`,
    {
      kept: kept[kind],
      remedy:
        kind === 'train'
          ? 'Press Train again: it goes on from what is kept. If it happens again, save diagnostics from Settings.'
          : 'Try again. If it happens again, save diagnostics from Settings.',
      cause,
    },
  )
}
