import { resolve } from 'node:path'
import type { Backbone } from '#shared/contract/use.ts'
import { fromWire } from '#shared/errors/index.ts'
import type { BackbonesCommand } from '../command.ts'
import type { CliContext } from '../context.ts'
import { followJob, withStudio } from '../studio.ts'

/** Lists, downloads or takes in backbones. */
export async function backbones({ action }: BackbonesCommand, context: CliContext): Promise<void> {
  const { terminal } = context
  await withStudio(context, async (studio) => {
    switch (action.kind) {
      case 'list': {
        const [known, problems] = [await studio.backbones.list(), await studio.backbones.problems()]
        terminal.print(known.length === 0 ? 'No backbones are known.' : known.map(lineOf).join('\n'))
        for (const problem of problems) terminal.say(problem)
        return terminal.answer({ backbones: known, problems })
      }
      case 'add': {
        const added = await studio.backbones.add([resolve(action.file)])
        terminal.print(`${added.id} is ready: ${added.words}`)
        return terminal.answer({ backbone: added })
      }
      case 'get': {
        const { jobId } = studio.backbones.download(action.id)
        const job = await followJob(studio, jobId, context)
        if (job.error) throw fromWire(job.error)
        const got = (await studio.backbones.list()).find(({ id }) => id === action.id)
        terminal.print(`${action.id} is ready.`)
        return terminal.answer({ backbone: got ?? null })
      }
    }
  })
}

const states: Record<Backbone['state'], string> = {
  ready: 'ready',
  available: 'can be downloaded',
  downloading: 'downloading',
  broken: 'broken',
}

function lineOf({ id, state, inputSize, featureLength, bytes, licence, rate, detail }: Backbone): string {
  // Of one that cannot be used nothing else is known.
  const known = featureLength > 0
  const parts = [
    `${id}: ${states[state]}`,
    ...(known
      ? [`${inputSize} px`, `${featureLength} features`, `${(bytes / 1e6).toFixed(1)} MB`, licence]
      : []),
  ]
  if (rate !== null) parts.push(`${rate.toFixed(0)} pictures/s here`)
  if (detail !== null) parts.push(detail)
  return parts.join(', ')
}
