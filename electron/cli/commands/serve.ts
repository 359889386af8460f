import { basename, resolve } from 'node:path'
import { openLoopbackDoor } from '#studio/server/doors.ts'
import type { ServeCommand } from '../command.ts'
import { openInBrowser } from '../browser.ts'
import type { CliContext } from '../context.ts'
import { withStudio } from '../studio.ts'
import type { CliStudio } from '../studio.ts'

/** The studio behind a loopback address with a one-time token, until Ctrl+C. */
export async function serve({ port, project, open: show }: ServeCommand, context: CliContext): Promise<void> {
  const { terminal, signal } = context
  const open = async (studio: CliStudio): Promise<void> => {
    if (project !== null) {
      const folder = resolve(project)
      await studio.projects.openOrCreateAt(folder, basename(folder, '.kestrel'))
    }
    const door = await openLoopbackDoor({ fetch: studio.fetch, log: studio.log }, { port })
    // On stdout and alone on its line: a program that started this reads it from here.
    terminal.print(door.address)
    terminal.say(
      show && openInBrowser(door.address)
        ? 'Kestrel opens in your browser at this address. Ctrl+C ends the studio.'
        : 'Open this address in a browser on this computer; it works once. Ctrl+C ends the studio.',
    )
    try {
      await new Promise<void>((ended) => {
        if (signal.aborted) ended()
        signal.addEventListener('abort', () => ended(), { once: true })
      })
    } finally {
      await door.close()
    }
    signal.throwIfAborted()
  }
  await withStudio(context, open, { oneShot: false })
}
