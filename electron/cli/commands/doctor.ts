import { statfs } from 'node:fs/promises'
import { arch, availableParallelism, freemem, platform, release, totalmem } from 'node:os'
import { logsFolder } from '#shared/util/home.ts'
import type { DoctorCommand } from '../command.ts'
import type { CliContext } from '../context.ts'
import { withStudio } from '../studio.ts'

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`

/** What works here, and why something does not. */
export async function doctor(_command: DoctorCommand, context: CliContext): Promise<void> {
  const { terminal, version } = context
  await withStudio(context, async ({ pool, backbones, home }) => {
    const [hello, known, problems, disk] = await Promise.all([
      pool.quick<'hello'>({ kind: 'hello' }),
      backbones.list(),
      backbones.problems(),
      statfs(home),
    ])
    const free = disk.bavail * disk.bsize
    const system = {
      platform: `${platform()} ${release()} (${arch()})`,
      cores: availableParallelism(),
      memory: { total: totalmem(), free: freemem() },
    }
    const ready = known.filter(({ state }) => state === 'ready')
    terminal.print(
      [
        `Kestrel ${version} on ${system.platform}, ${system.cores} cores, ${gigabytes(system.memory.total)} memory`,
        ...hello.engines.map(
          ({ name, version: own, available, detail }) =>
            `${available ? '✓' : '✗'} ${name}${own === null ? '' : ` ${own}`}: ${detail}`,
        ),
        ready.length > 0
          ? `✓ Backbones ready: ${ready.map(({ id }) => id).join(', ')}`
          : '✗ No backbone is ready: a small network would be trained on the pixels. "kestrel backbones" lists what can be had.',
        ...known
          .filter(({ state }) => state === 'broken')
          .map(({ id, detail }) => `✗ ${id}: ${detail ?? 'broken'}`),
        ...problems.map((problem) => `✗ ${problem}`),
        `User data: ${home} (${gigabytes(free)} free)`,
        `Logs: ${logsFolder(home)}`,
        ...Object.entries(hello.versions).map(([name, own]) => `  ${name} ${own}`),
      ].join('\n'),
    )
    terminal.answer({
      kestrel: version,
      engines: hello.engines,
      backbones: known,
      backboneProblems: problems,
      versions: hello.versions,
      system,
      folders: { home, logs: logsFolder(home) },
      disk: { free, total: disk.blocks * disk.bsize },
    })
  })
}
