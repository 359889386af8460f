/** Pictures that a person gave to a model one by one, and what it said: at hand again after a restart. */
export const answers = `
CREATE TABLE answers (
  run_id       TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  -- Counts on within a run: what is missing below the lowest one made room for newer ones.
  number       INTEGER NOT NULL,
  id           TEXT NOT NULL UNIQUE,
  asked_at     INTEGER NOT NULL,
  name         TEXT NOT NULL,
  -- A copy of the picture, relative to the project folder; null when it could not be read.
  file         TEXT,
  bytes        INTEGER NOT NULL,
  width        INTEGER NOT NULL,
  height       INTEGER NOT NULL,
  -- JSON documents, validated with the contract's schemas when read.
  top          TEXT NOT NULL,
  error        TEXT,
  milliseconds REAL NOT NULL,
  -- What it became in the project when the person said what it is.
  picture_id   INTEGER REFERENCES pictures (id),
  PRIMARY KEY (run_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX answers_by_age ON answers (asked_at, number);
`
