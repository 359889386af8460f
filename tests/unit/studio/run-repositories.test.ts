import { describe, expect, it } from 'vitest'
import { createAnswersRepository } from '#studio/storage/answers-repository.ts'
import { openProjectDatabase } from '#studio/storage/database.ts'
import type { ProjectDatabase } from '#studio/storage/database.ts'
import { createExportsRepository } from '#studio/storage/exports-repository.ts'
import { createPicturesRepository } from '#studio/storage/pictures-repository.ts'
import { cellSql, createPredictionsRepository } from '#studio/storage/predictions-repository.ts'
import type { PredictionFilter } from '#studio/storage/predictions-repository.ts'
import { createRunsRepository } from '#studio/storage/runs-repository.ts'
import type { RunFacts } from '#studio/storage/runs-repository.ts'
import { createVersionsRepository } from '#studio/storage/versions-repository.ts'
import { answerRow } from '../../helpers/answer-rows.ts'
import { temporaryFolder } from '../../helpers/folders.ts'
import { pictureRow } from '../../helpers/picture-rows.ts'

const facts: RunFacts = {
  counts: { train: 2, val: 1, test: 1 },
  sharedShots: null,
  backbone: null,
  warmStartFrom: null,
  continues: null,
  featureLength: null,
  testAccuracy: null,
  testAccuracyCi95: null,
  testMacroF1: null,
  valAccuracy: null,
  outOfFoldAccuracy: null,
  regularisation: null,
  stopped: null,
  timings: null,
  features: null,
  foldsLeftOut: null,
  failed: 0,
  steps: 0,
  gradients: null,
  checks: [],
  kept: null,
  weighed: null,
  madeSmall: null,
  kestrel: '0',
}
const config = {
  recipe: 'head' as const,
  backboneId: 'tiny',
  objective: 'softmax' as const,
  split: { train: 0.7, val: 0.15, test: 0.15 },
  seed: 1,
  folds: 5,
  together: 'shots' as const,
  changes: {},
  engine: 'onnx' as const,
  teacherRunId: null,
}
const classes = [
  { labelId: 1, name: 'a', colour: 0 },
  { labelId: 2, name: 'b', colour: 1 },
]

function database(pictures = 4): ProjectDatabase {
  const db = openProjectDatabase(temporaryFolder())
  for (let n = 0; n < pictures; n++) createPicturesRepository(db).insert(pictureRow(n))
  return db
}
function withRun(db: ProjectDatabase, id = 'r1', digest = 'one', options = 'seed 1'): number {
  const split = ['train', 'train', 'val', 'test'] as const
  const versionId = createVersionsRepository(db).freeze({
    ...{ createdAt: 1, options, digest },
    items: split.map((side, n) => ({ pictureId: n + 1, class: n % 2, split: side })),
  })
  const runs = createRunsRepository(db)
  const number = runs.nextNumber()
  runs.insert({
    ...{
      id,
      number,
      name: `Training ${number}`,
      versionId,
      config,
      classes,
      facts,
      createdAt: number,
      revision: 1,
    },
  })
  return versionId
}

describe('versions', () => {
  it('are stored once, and remember the side of a picture that was away for a while', () => {
    const db = database()
    const versions = createVersionsRepository(db)
    expect(withRun(db)).toBe(withRun(db, 'r2'))
    expect(versions.items(1)).toHaveLength(4)
    versions.freeze({
      ...{ createdAt: 2, options: 'seed 1', digest: 'two' },
      items: [{ pictureId: 1, class: 0, split: 'test' }],
    })
    expect([...versions.sidesSoFar('seed 1', [1, 2, 3, 4, 99])]).toEqual([
      [1, 'test'],
      [2, 'train'],
      [3, 'val'],
      [4, 'test'],
    ])
    expect(versions.sidesSoFar('seed 2', [1]).size).toBe(0)
    expect(versions.newestOptions()).toBe('seed 1')
    db.close()
  })
})

describe('runs', () => {
  it('keep everything they were given, and are never numbered twice', () => {
    const db = database()
    withRun(db)
    withRun(db, 'r2', 'two')
    const runs = createRunsRepository(db)
    expect(runs.find('r1')).toMatchObject({
      number: 1,
      state: 'running',
      config,
      classes,
      facts,
      error: null,
    })
    expect(runs.running()).toEqual(['r1', 'r2'])
    const error = { code: 'training-crashed' as const, message: 'It ended.', kept: 'All else.' }
    runs.end('r1', { state: 'failed', facts, error, endedAt: 9 })
    runs.end('r2', { state: 'done', facts: { ...facts, testAccuracy: 0.5 }, error: null, endedAt: 9 })
    expect(runs.find('r1')).toMatchObject({ state: 'failed', error, endedAt: 9 })
    expect(runs.newestWithModel()?.id).toBe('r2')
    expect(runs.newestWithModel(({ id }) => id === 'r1')).toBeUndefined()
    runs.markRemoved('r2')
    expect(runs.all().map(({ id }) => id)).toEqual(['r1'])
    expect(runs.find('r2')).toBeUndefined()
    expect(runs.nextNumber()).toBe(3)
    const metric = { step: 1, trainLoss: 1, trainAccuracy: null, valLoss: null, valAccuracy: 0.5 }
    runs.addSteps('r1', [metric, { ...metric, step: 2 }, metric])
    expect(runs.steps('r1').map(({ step }) => step)).toEqual([1, 2])
    db.close()
  })
})

describe('predictions', () => {
  const rows = [1, 2, 3, 4].map((pictureId) => ({
    ...{
      pictureId,
      trueClass: pictureId % 2,
      predicted: pictureId > 2 ? 1 : 0,
      confidence: pictureId / 10,
      fold: null,
    },
    probabilities: Float32Array.of(1 - pictureId / 10, pictureId / 10),
  }))
  const all: PredictionFilter = { trueClass: null, predicted: null, only: 'all' }

  it('come back as they were, whole and cell by cell', () => {
    const db = database()
    withRun(db)
    const predictions = createPredictionsRepository(db)
    predictions.add('r1', 'test', rows)
    const table = predictions.table('r1', 'test', 2)
    expect([...table.labels]).toEqual([1, 0, 1, 0])
    expect([...table.probabilities.subarray(6)]).toEqual([Math.fround(0.6), Math.fround(0.4)])
    const ids = (filter: Partial<PredictionFilter>, page = { offset: 0, limit: 9 }): number[] =>
      predictions.window('r1', 'test', { ...all, ...filter }, page).rows.map(({ pictureId }) => pictureId)
    expect(ids({})).toEqual([4, 3, 2, 1])
    expect(ids({}, { offset: 1, limit: 2 })).toEqual([3, 2])
    expect(ids({ order: 'unsurest' })).toEqual([1, 2, 3, 4])
    expect(ids({ trueClass: 1 })).toEqual([3, 1])
    expect(ids({ predicted: 0 })).toEqual([2, 1])
    expect(ids({ trueClass: 0, predicted: 1 })).toEqual([4])
    expect(ids({ only: 'wrong' })).toEqual([4, 1])
    expect(ids({ only: 'right', trueClass: 1 })).toEqual([3])
    expect(predictions.window('r1', 'test', { ...all, trueClass: 1 }, { offset: 5, limit: 1 })).toEqual({
      total: 2,
      rows: [],
    })
    expect(predictions.count('r1', 'val')).toBe(0)
    db.close()
  })

  it.each([
    [{ trueClass: 1, predicted: 0 }, 'run_id=? AND part=? AND true_class=? AND predicted=?'],
    [{ trueClass: 1 }, 'run_id=? AND part=? AND true_class=?'],
    [{ trueClass: 1, order: 'unsurest' as const }, 'run_id=? AND part=? AND true_class=?'],
    [{ predicted: 1 }, 'run_id=? AND part=?'],
    [{}, 'run_id=? AND part=?'],
  ])('are found through the index alone: %o', (filter, terms) => {
    const db = database()
    const sql = cellSql({ ...all, ...filter }).rows
    const plan = db.sql
      .prepare<[object], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
      .all({ run: 'r1', part: 'test', trueClass: 1, predicted: 1, limit: 1, offset: 0 })
    expect(plan[0]!.detail).toContain(`USING COVERING INDEX predictions_by_cell (${terms}`)
    db.close()
  })
})

describe('exports', () => {
  it('come newest first, with their proof', () => {
    const db = database()
    withRun(db)
    const exports = createExportsRepository(db)
    const proof = { images: 9, same_answer: 9, max_abs_diff: 0.1, max_abs_diff_same_tensor: 0, passed: true }
    for (const [n, id] of ['old', 'new'].entries())
      exports.insert({
        ...{ id, runId: 'r1', format: 'onnx', folder: id, bytes: 1, threshold: 0.5, proof, createdAt: n },
      })
    expect(exports.ofRun('r1').map(({ id }) => id)).toEqual(['new', 'old'])
    exports.remove('old')
    expect(exports.find('old')).toBeUndefined()
    expect(exports.find('new')).toMatchObject({ proof })
    db.close()
  })
})

describe('answers', () => {
  const limits = { perRun: 3, bytes: 1000 }
  const ids = (rows: readonly { id: string }[]): string[] => rows.map(({ id }) => id)

  it('come newest first, a handful in its own order; the oldest make room and are counted', () => {
    const db = database()
    withRun(db)
    const answers = createAnswersRepository(db)
    expect(answers.add('r1', [answerRow('a'), answerRow('b')], limits)).toEqual([])
    expect(answers.madeRoom('r1')).toBe(0)
    expect(answers.add('r1', [answerRow('c'), answerRow('d')], limits)).toEqual(['answers/b.jpg'])
    expect(ids(answers.ofRun('r1'))).toEqual(['c', 'd', 'a'])
    expect(answers.madeRoom('r1')).toBe(1)
    expect(answers.files().toSorted()).toEqual(['answers/a.jpg', 'answers/c.jpg', 'answers/d.jpg'])
    db.close()
  })

  it('make room by their bytes across all runs, except for what was asked just now', () => {
    const db = database()
    withRun(db)
    withRun(db, 'r2', 'two')
    const answers = createAnswersRepository(db)
    answers.add('r1', [answerRow('old', { askedAt: 1, bytes: 600 })], limits)
    answers.add('r2', [answerRow('newer', { askedAt: 2, bytes: 300 })], limits)
    expect(answers.add('r1', [answerRow('new', { askedAt: 3, bytes: 500 })], limits)).toEqual([
      'answers/old.jpg',
    ])
    expect(ids(answers.ofRun('r1'))).toEqual(['new'])
    expect(ids(answers.ofRun('r2'))).toEqual(['newer'])
    expect(answers.add('r2', [answerRow('huge', { askedAt: 4, bytes: 5000 })], limits)).toHaveLength(2)
    expect(ids(answers.ofRun('r2'))).toEqual(['huge'])
    db.close()
  })

  it('know the picture they became, and are gone when they are cleared or their run is removed', () => {
    const db = database()
    withRun(db)
    withRun(db, 'r2', 'two')
    const answers = createAnswersRepository(db)
    const error = { code: 'not-a-picture' as const, message: 'This is no picture.' }
    answers.add('r1', [answerRow('a'), answerRow('bad', { file: null, error })], limits)
    answers.add('r2', [answerRow('b')], limits)
    answers.setPicture('a', 2)
    expect(answers.find('a')).toMatchObject({ runId: 'r1', pictureId: 2, error: null })
    expect(answers.find('bad')).toMatchObject({ file: null, error })
    expect(answers.clear('r1')).toEqual(['answers/a.jpg'])
    expect(answers.ofRun('r1')).toEqual([])
    expect(answers.madeRoom('r1')).toBe(0)
    createRunsRepository(db).markRemoved('r2')
    expect(answers.clearRemoved()).toEqual(['answers/b.jpg'])
    expect(answers.files()).toEqual([])
    db.close()
  })
})
