import type { Answer } from './given-pictures.ts'

/** A disk that is full must not make the studio hold all that is asked from now on. */
const MOST_HELD = 200

export type HeldAnswers = ReturnType<typeof createHeldAnswers>

/** Answers that could not be written down, of one project: at hand until it is closed. */
export function createHeldAnswers() {
  let held: { runId: string; answer: Answer }[] = []
  return {
    hold(runId: string, answers: readonly Answer[]): void {
      held = [...answers.map((answer) => ({ runId, answer })), ...held].slice(0, MOST_HELD)
    },
    find: (id: string): Answer | undefined => held.find(({ answer }) => answer.id === id)?.answer,
    /** Newest first. */
    ofRun: (runId: string): Answer[] =>
      held.filter((each) => each.runId === runId).map(({ answer }) => answer),
    clear(runId: string): void {
      held = held.filter((each) => each.runId !== runId)
    },
  }
}
