import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { appRoot } from '#shared/util/app-folders.ts'
import { parseCommand } from './arguments.ts'
import type { Command } from './command.ts'
import { UsageError } from './reading.ts'
import type { CliContext } from './context.ts'
import { overview, topics } from './help.ts'
import { INTERRUPTED, Interrupted, isInterruption, listenForInterrupt } from './interrupt.ts'
import { createTerminal, wordsOfError } from './terminal.ts'

const WRONG_USAGE = 2
const FAILED = 1

/** Commands are loaded when they are asked for: `--version` needs no picture library. */
async function execute(command: Command, context: CliContext): Promise<void> {
  switch (command.name) {
    case 'help': {
      const help = command.topic === null ? overview : topics[command.topic]
      context.terminal.print(help)
      return context.terminal.answer({ help })
    }
    case 'version':
      context.terminal.print(context.version)
      return context.terminal.answer({ kestrel: context.version })
    case 'run':
      return (await import('./commands/run.ts')).run(command, context)
    case 'distill':
      return (await import('./commands/distill.ts')).distill(command, context)
    case 'resume':
      return (await import('./commands/resume.ts')).resume(command, context)
    case 'gradcheck':
      return (await import('./commands/gradcheck.ts')).gradcheck(command, context)
    case 'predict':
      return (await import('./commands/predict.ts')).predict(command, context)
    case 'features':
      return (await import('./commands/features.ts')).features(command, context)
    case 'serve':
      return (await import('./commands/serve.ts')).serve(command, context)
    case 'doctor':
      return (await import('./commands/doctor.ts')).doctor(command, context)
    case 'backbones':
      return (await import('./commands/backbones.ts')).backbones(command, context)
  }
}

const packageSchema = z.object({ version: z.string() })
const ownVersion = (): string =>
  packageSchema.parse(JSON.parse(readFileSync(join(appRoot, 'package.json'), 'utf8'))).version

/** @returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const terminal = createTerminal(argv.includes('--json'))
  const interrupt = listenForInterrupt(terminal.say)
  try {
    await execute(parseCommand(argv), { terminal, signal: interrupt.signal, version: ownVersion() })
    return 0
  } catch (error) {
    if (error instanceof UsageError) {
      const command = error.command === null ? 'kestrel' : `kestrel ${error.command}`
      terminal.say(`${command}: ${error.message} See ${command} --help.`)
      terminal.answer({ error: { code: 'usage', message: error.message } })
      return WRONG_USAGE
    }
    const { wire, text } = wordsOfError(inOwnWords(error, interrupt.signal))
    terminal.say(text)
    if (wire.code === 'internal')
      terminal.say(error instanceof Error ? (error.stack ?? error.message) : String(error))
    if (!terminal.answered) terminal.answer({ error: wire })
    return interrupt.signal.aborted ? INTERRUPTED : FAILED
  } finally {
    interrupt.dispose()
  }
}

/** After an interruption a command may say for itself what was kept; else the general words do. */
const inOwnWords = (error: unknown, signal: AbortSignal): unknown =>
  isInterruption(error, signal) && !(error instanceof Interrupted) ? signal.reason : error
