import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createAnswersRepository } from '#studio/storage/answers-repository.ts'
import { databaseFile, openProjectDatabase } from '#studio/storage/database.ts'
import { migrations } from '#studio/storage/migrations/index.ts'
import { answerRow } from '../helpers/answer-rows.ts'
import { temporaryFolder } from '../helpers/folders.ts'

const codeOf = (work: () => unknown): { code: unknown; message: string } => {
  try {
    work()
  } catch (error) {
    if (error instanceof Error && 'code' in error) return { code: error.code, message: error.message }
    throw error
  }
  throw new Error('nothing was thrown')
}

async function holdInAnotherProcess(folder: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['tests/fixtures/processes/hold-project.ts', folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  await once(child.stdout!, 'data')
  return child
}

describe('opening', () => {
  test('makes strict tables with foreign keys on and a write-ahead log', () => {
    const db = openProjectDatabase(temporaryFolder())
    onTestFinished(() => db.close())
    expect(db.sql.pragma('user_version', { simple: true })).toBe(migrations.length)
    expect(db.sql.pragma('journal_mode', { simple: true })).toBe('wal')
    expect(db.sql.pragma('foreign_keys', { simple: true })).toBe(1)
    const loose = db.sql
      .prepare(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict = 0 AND name NOT LIKE 'sqlite_%'",
      )
      .all()
    expect(loose).toEqual([])
  })

  test('a transaction that throws leaves nothing behind, an inner one joins the outer', () => {
    const db = openProjectDatabase(temporaryFolder())
    onTestFinished(() => db.close())
    const write = (key: string) =>
      db.transaction(() => db.sql.prepare('INSERT INTO meta VALUES (?, ?)').run(key, ''))
    expect(() =>
      db.transaction(() => {
        write('inner')
        throw new Error('no')
      }),
    ).toThrow('no')
    expect(db.sql.prepare('SELECT count(*) FROM meta').pluck().get()).toBe(0)
  })

  test('a file that is no database is told in words and stays as it is', () => {
    const folder = temporaryFolder()
    writeFileSync(databaseFile(folder), 'x'.repeat(5000))
    expect(codeOf(() => openProjectDatabase(folder)).code).toBe('project-damaged')
    expect(readFileSync(databaseFile(folder), 'utf8')).toBe('x'.repeat(5000))
  })
})

describe('one process at a time', () => {
  test('a second process is told who has the project, and gets it when the first is killed', async () => {
    const folder = temporaryFolder()
    const holder = await holdInAnotherProcess(folder)
    const refused = codeOf(() => openProjectDatabase(folder))
    expect(refused.code).toBe('project-locked')
    expect(refused.message).toContain(String(holder.pid))

    holder.kill('SIGKILL')
    await once(holder, 'exit')
    expect(existsSync(join(folder, 'project.lock')), 'the dead process left its note').toBe(true)
    const db = openProjectDatabase(folder)
    onTestFinished(() => db.close())
    expect(db.sql.prepare("SELECT value FROM meta WHERE key = 'kept'").pluck().get()).toBe('yes')
  })

  test('closing gives the lock back and leaves one file', () => {
    const folder = temporaryFolder()
    openProjectDatabase(folder).close()
    expect(readdirSync(folder)).toEqual(['project.db'])
    openProjectDatabase(folder).close()
  })
})

describe('versions', () => {
  const twoSteps = [...migrations, 'ALTER TABLE labels ADD COLUMN note TEXT']

  test('a newer project is refused and not one byte changes', () => {
    const folder = temporaryFolder()
    openProjectDatabase(folder, { migrations: twoSteps }).close()
    const before = readFileSync(databaseFile(folder))
    const names = readdirSync(folder)
    expect(codeOf(() => openProjectDatabase(folder)).code).toBe('project-newer')
    expect(readFileSync(databaseFile(folder)).equals(before)).toBe(true)
    expect(readdirSync(folder)).toEqual(names)
  })

  test('an older one is brought up to date, with a copy of the old file', () => {
    const folder = temporaryFolder()
    const old = openProjectDatabase(folder)
    old.sql.exec("INSERT INTO labels (name, name_key, colour, position) VALUES ('Rose', 'rose', 0, 0)")
    old.close()
    const db = openProjectDatabase(folder, { migrations: twoSteps })
    onTestFinished(() => db.close())
    expect(db.sql.prepare('SELECT name, note FROM labels').all()).toEqual([{ name: 'Rose', note: null }])
    const copy = new Database(join(folder, 'backups', `project-version-${migrations.length}.db`))
    onTestFinished(() => {
      copy.close()
    })
    expect(copy.pragma('user_version', { simple: true })).toBe(migrations.length)
    expect(copy.prepare('SELECT name FROM labels').pluck().all()).toEqual(['Rose'])
  })

  test('a step that fails takes all of them back', () => {
    const folder = temporaryFolder()
    openProjectDatabase(folder).close()
    const broken = [...twoSteps, 'INSERT INTO nowhere VALUES (1)']
    expect(codeOf(() => openProjectDatabase(folder, { migrations: broken })).code).toBe('project-damaged')
    const db = openProjectDatabase(folder)
    onTestFinished(() => db.close())
    expect(db.sql.prepare("SELECT count(*) FROM pragma_table_info('labels')").pluck().get()).toBe(5)
  })

  test('runs on the pixels are called from scratch since the second version', () => {
    const folder = temporaryFolder()
    const old = openProjectDatabase(folder, { migrations: migrations.slice(0, 1) })
    const insert = old.sql.prepare(
      `INSERT INTO runs (id, number, name, state, config, classes, created_at, revision)
       VALUES (?, ?, 'a', 'done', ?, '[]', 0, 0)`,
    )
    insert.run('a', 1, JSON.stringify({ recipe: 'pixels', backboneId: null, seed: 7 }))
    insert.run('b', 2, JSON.stringify({ recipe: 'head', backboneId: 'pixels', seed: 1 }))
    old.close()
    const db = openProjectDatabase(folder)
    onTestFinished(() => db.close())
    const configs = db.sql.prepare<[], string>('SELECT config FROM runs ORDER BY id').pluck().all()
    expect(configs.map((config) => JSON.parse(config) as unknown)).toEqual([
      { recipe: 'scratch', backboneId: null, seed: 7 },
      { recipe: 'head', backboneId: 'pixels', seed: 1 },
    ])
  })

  test('answers are kept since the fourth version, in projects with runs from before', () => {
    const folder = temporaryFolder()
    const old = openProjectDatabase(folder, { migrations: migrations.slice(0, 3) })
    old.sql.exec(`INSERT INTO runs (id, number, name, state, config, classes, created_at, revision)
      VALUES ('a', 1, 'a', 'done', '{}', '[]', 0, 0)`)
    old.close()
    const db = openProjectDatabase(folder)
    onTestFinished(() => db.close())
    const answers = createAnswersRepository(db)
    expect(answers.ofRun('a')).toEqual([])
    answers.add('a', [answerRow('one')], { perRun: 5, bytes: 100 })
    expect(answers.ofRun('a')).toEqual([{ ...answerRow('one'), runId: 'a' }])
    db.sql.exec("DELETE FROM runs WHERE id = 'a'")
    expect(answers.find('one')).toBeUndefined()
  })

  const kept = join('tests', 'fixtures', 'databases')
  const versions = existsSync(kept) ? readdirSync(kept).filter((name) => name.endsWith('.db')) : []
  test('a database of every released version is kept', () => {
    expect(versions).toHaveLength(migrations.length)
  })
  test.each(versions)('%s opens today with all it held', (name) => {
    const folder = temporaryFolder()
    mkdirSync(folder, { recursive: true })
    writeFileSync(databaseFile(folder), readFileSync(join(kept, name)))
    const db = openProjectDatabase(folder)
    onTestFinished(() => db.close())
    expect(db.sql.prepare('SELECT name FROM labels ORDER BY position').pluck().all()).toEqual([
      'Daisy',
      'Straße',
      '🌻',
    ])
    expect(db.sql.prepare('SELECT count(*) FROM pictures').pluck().get()).toBe(12)
    expect(db.sql.pragma('integrity_check', { simple: true })).toBe('ok')
  })
})
