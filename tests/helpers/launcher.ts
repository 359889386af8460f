import { fork } from 'node:child_process'
import { resolve } from 'node:path'
import type { TrainerExit, TrainerLauncher } from '#studio/parent-link.ts'

/** Starts a given script as trainer, with extra environment. */
export function launcherOf(script: string, extra: Record<string, string> = {}): TrainerLauncher {
  return {
    launch(env) {
      const child = fork(script, [], {
        env: { ...process.env, ...env, ...extra },
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        execArgv: [],
      })
      return {
        pid: Promise.resolve(child.pid ?? null),
        kill: (signal) => {
          child.kill(signal)
        },
        exited: new Promise<TrainerExit>((done) => {
          child.once('exit', (code, signal) => done({ code, signal }))
        }),
      }
    },
  }
}

export const scriptedTrainer = resolve(import.meta.dirname, '../fixtures/trainer/scripted.ts')
export const realTrainer = resolve(import.meta.dirname, '../../electron/trainer/main.ts')
