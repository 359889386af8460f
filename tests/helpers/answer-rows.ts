import type { AnswerRow } from '#studio/storage/answers-repository.ts'

/** A plausible answer about a picture that could be read. */
export const answerRow = (
  id: string,
  changes: Partial<Omit<AnswerRow, 'runId'>> = {},
): Omit<AnswerRow, 'runId'> => ({
  ...{ id, askedAt: 1, name: `${id}.jpg`, file: `answers/${id}.jpg`, bytes: 10, width: 72, height: 56 },
  top: [
    { classIndex: 1, confidence: 0.75 },
    { classIndex: 0, confidence: 0.25 },
  ],
  error: null,
  milliseconds: 12.5,
  pictureId: null,
  ...changes,
})
