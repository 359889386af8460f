/** What tells shots apart of which there are several pictures, and which pictures are of one shot. */
export const looks = `
CREATE TABLE looks (
  picture_id INTEGER PRIMARY KEY REFERENCES pictures (id),
  -- uint8 [32, 32], luma.
  pixels     BLOB NOT NULL,
  -- Whether it was compared with all pictures before it.
  compared   INTEGER NOT NULL DEFAULT 0 CHECK (compared IN (0, 1))
) STRICT;
CREATE INDEX looks_waiting ON looks (picture_id) WHERE compared = 0;

CREATE TABLE twins (
  picture_id INTEGER NOT NULL REFERENCES pictures (id),
  twin_id    INTEGER NOT NULL REFERENCES pictures (id),
  PRIMARY KEY (picture_id, twin_id)
) STRICT, WITHOUT ROWID;
`
