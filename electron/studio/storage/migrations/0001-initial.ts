/**
 * The first shape of a project's database. Migrations are plain SQL text and never import today's models: what they
 * did must stay what they did.
 */
export const initial = `
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE labels (
  -- Never used twice: undo may bring a removed label back.
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  name     TEXT NOT NULL,
  -- NFC, lower case: two labels may not differ in case alone.
  name_key TEXT NOT NULL UNIQUE,
  colour   INTEGER NOT NULL,
  position INTEGER NOT NULL
) STRICT;

CREATE TABLE imports (
  id         INTEGER PRIMARY KEY,
  job_id     TEXT NOT NULL UNIQUE,
  state      TEXT NOT NULL CHECK (state IN ('scanning', 'running', 'done', 'cancelled', 'failed')),
  -- JSON: roots, rule, label, split and storage choices; what is needed to go on after a restart.
  options    TEXT NOT NULL,
  -- Sums, so that the list of files can be thinned out when the import is over.
  read       INTEGER NOT NULL DEFAULT 0,
  duplicates INTEGER NOT NULL DEFAULT 0,
  refused    INTEGER NOT NULL DEFAULT 0,
  started_at INTEGER NOT NULL,
  ended_at   INTEGER
) STRICT;

-- What an import still has to do, and what it could not read. Rows of read files go when the import is over.
CREATE TABLE import_files (
  import_id INTEGER NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
  position  INTEGER NOT NULL,
  path      TEXT NOT NULL,
  -- Relative to what was dropped, '/' between folders.
  relative  TEXT NOT NULL,
  bytes     INTEGER NOT NULL,
  modified  INTEGER NOT NULL,
  state     TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'read', 'duplicate', 'refused')),
  code      TEXT,
  message   TEXT,
  PRIMARY KEY (import_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX import_files_with_problem ON import_files (import_id DESC, position) WHERE code IS NOT NULL;

CREATE TABLE pictures (
  id              INTEGER PRIMARY KEY,
  sha256          TEXT NOT NULL UNIQUE,
  name            TEXT NOT NULL,
  -- NFC, lower case: what search and the sort by name look at.
  name_key        TEXT NOT NULL,
  -- Relative to the project folder when copied, absolute when left in place.
  file            TEXT NOT NULL,
  stored          TEXT NOT NULL CHECK (stored IN ('copy', 'reference')),
  -- Relative to what was imported; for the eye only.
  origin          TEXT NOT NULL,
  format          TEXT NOT NULL,
  bytes           INTEGER NOT NULL,
  width           INTEGER NOT NULL,
  height          INTEGER NOT NULL,
  pixels          INTEGER NOT NULL GENERATED ALWAYS AS (width * height) VIRTUAL,
  orientation     INTEGER NOT NULL,
  -- 64 bits as 16 hexadecimal digits.
  perceptual_hash TEXT NOT NULL,
  sharpness       REAL NOT NULL,
  brightness      REAL NOT NULL,
  -- JSON array of {code, words}.
  findings        TEXT NOT NULL DEFAULT '[]',
  label_id        INTEGER REFERENCES labels (id),
  -- Given by train/val/test folders; kept by every split.
  fixed_split     TEXT CHECK (fixed_split IN ('train', 'val', 'test')),
  -- Of the newest dataset version, for filters.
  split           TEXT CHECK (split IN ('train', 'val', 'test')),
  excluded        INTEGER NOT NULL DEFAULT 0 CHECK (excluded IN (0, 1)),
  -- The person said "it is right" against the model.
  confirmed       INTEGER NOT NULL DEFAULT 0 CHECK (confirmed IN (0, 1)),
  -- What the newest run says of it, by a model that did not learn from it, and how sure it is.
  says_label_id   INTEGER,
  says_confidence REAL,
  -- How much the newest run contradicts the label; falls to 0 when the label is mended or confirmed.
  doubt           REAL NOT NULL GENERATED ALWAYS AS (
    CASE WHEN says_label_id IS NULL OR says_label_id IS label_id OR confirmed = 1 THEN 0.0
         ELSE ifnull(says_confidence, 0.0) END) VIRTUAL,
  added_at        INTEGER NOT NULL,
  import_id       INTEGER REFERENCES imports (id)
) STRICT;
-- Each view of the grid is an ordered walk over one of these. None but the first and the last two know of "excluded":
-- excluding ten thousand pictures must not rewrite every index (views leave the excluded ones out afterwards).
CREATE INDEX pictures_by_added ON pictures (excluded);
CREATE INDEX pictures_by_label ON pictures (label_id, id, split);
CREATE INDEX pictures_by_split ON pictures (split, id);
CREATE INDEX pictures_by_name ON pictures (name_key, id);
CREATE INDEX pictures_by_size ON pictures (pixels, id);
CREATE INDEX pictures_by_sharpness ON pictures (sharpness, id);
CREATE INDEX pictures_by_doubt ON pictures (doubt DESC, id);
CREATE INDEX pictures_with_findings ON pictures (id) WHERE findings <> '[]';
CREATE INDEX pictures_excluded ON pictures (id) WHERE excluded = 1;
CREATE INDEX pictures_counted ON pictures (excluded, label_id, split);

-- Files on the person's disk that were imported: an unchanged one is recognised without reading it, a moved one by content.
CREATE TABLE sources (
  path       TEXT PRIMARY KEY,
  bytes      INTEGER NOT NULL,
  modified   INTEGER NOT NULL,
  -- Null when it could not be read; then code and message say why.
  picture_id INTEGER REFERENCES pictures (id),
  code       TEXT,
  message    TEXT,
  -- What its folder said last time. A label changed by hand since then is not taken back.
  label      TEXT,
  split      TEXT,
  -- 1: it was gone the last time its folder was looked at; 2: and its picture was excluded because of that.
  gone       INTEGER NOT NULL DEFAULT 0 CHECK (gone IN (0, 1, 2))
) STRICT, WITHOUT ROWID;
CREATE INDEX sources_by_picture ON sources (picture_id);

-- Done and undone actions, newest 100 kept. 'forward' and 'backward' are JSON (see labelling/history.ts).
CREATE TABLE history (
  id       INTEGER PRIMARY KEY,
  at       INTEGER NOT NULL,
  name     TEXT NOT NULL,
  pictures INTEGER NOT NULL,
  forward  TEXT NOT NULL,
  backward TEXT NOT NULL,
  undone   INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE dataset_versions (
  id         INTEGER PRIMARY KEY,
  created_at INTEGER NOT NULL,
  -- JSON: seed, fractions.
  options    TEXT NOT NULL,
  -- Hash over ids, labels and splits: the same pictures split the same way are the same version.
  digest     TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE dataset_items (
  version_id INTEGER NOT NULL REFERENCES dataset_versions (id) ON DELETE CASCADE,
  picture_id INTEGER NOT NULL REFERENCES pictures (id),
  -- Index into the version's classes.
  class      INTEGER NOT NULL,
  split      TEXT NOT NULL CHECK (split IN ('train', 'val', 'test')),
  PRIMARY KEY (version_id, picture_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
  id         TEXT PRIMARY KEY,
  number     INTEGER NOT NULL UNIQUE,
  name       TEXT NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('running', 'done', 'stopped', 'failed', 'interrupted', 'removed')),
  version_id INTEGER REFERENCES dataset_versions (id),
  -- JSON documents, validated with the contract's schemas when read.
  config     TEXT NOT NULL,
  classes    TEXT NOT NULL,
  result     TEXT,
  error      TEXT,
  threshold  REAL,
  created_at INTEGER NOT NULL,
  ended_at   INTEGER,
  -- The project's revision when it started: later revisions make it stale.
  revision   INTEGER NOT NULL
) STRICT;

CREATE TABLE run_steps (
  run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  step   INTEGER NOT NULL,
  metric TEXT NOT NULL,
  PRIMARY KEY (run_id, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE predictions (
  run_id        TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  part          TEXT NOT NULL CHECK (part IN ('test', 'val', 'outOfFold')),
  picture_id    INTEGER NOT NULL REFERENCES pictures (id),
  true_class    INTEGER NOT NULL,
  predicted     INTEGER NOT NULL,
  confidence    REAL NOT NULL,
  fold          INTEGER,
  -- float32 little-endian, one per class.
  probabilities BLOB NOT NULL,
  PRIMARY KEY (run_id, part, picture_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX predictions_by_cell ON predictions (run_id, part, true_class, predicted, confidence);

-- How often test pictures were looked at or changed since the split: said beside the figure.
CREATE TABLE test_looks (
  picture_id INTEGER PRIMARY KEY REFERENCES pictures (id),
  opened     INTEGER NOT NULL DEFAULT 0,
  changed    INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE exports (
  id         TEXT PRIMARY KEY,
  run_id     TEXT NOT NULL REFERENCES runs (id),
  format     TEXT NOT NULL,
  folder     TEXT NOT NULL,
  bytes      INTEGER NOT NULL,
  threshold  REAL NOT NULL,
  proof      TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
`
