-- What becomes of a file after it came: its check, its end, and where it is looked up.

-- A blocked file keeps its row and gives its slot back, so `slot` may be NULL. SQLite changes that
-- only by making the table anew.
CREATE TABLE new_media (
    id                  BLOB PRIMARY KEY,
    workspace_id        BLOB NOT NULL REFERENCES workspace (id),
    session_id          BLOB NOT NULL,
    slot                INTEGER,
    purpose             TEXT NOT NULL,
    labels              TEXT NOT NULL,
    attempt             BLOB,
    original_filename   TEXT NOT NULL,
    description         TEXT,
    kind                TEXT NOT NULL,
    mime_type           TEXT NOT NULL,
    size_bytes          INTEGER NOT NULL,
    sha256              BLOB NOT NULL,
    original_mime_type  TEXT NOT NULL,
    original_size_bytes INTEGER NOT NULL,
    original_sha256     BLOB NOT NULL,
    width               INTEGER,
    height              INTEGER,
    scan_status         TEXT NOT NULL,
    created_at          INTEGER NOT NULL,
    retain_until        INTEGER,
    -- Until it is judged: where the bytes lie that came and since when they did, whose turn it is to
    -- judge them, when that turn is over, and how often it was tried.
    source_key          TEXT,
    began_at            INTEGER,
    check_claim         BLOB,
    check_due_at        INTEGER,
    check_tries         INTEGER NOT NULL DEFAULT 0,
    UNIQUE (session_id, slot)
) STRICT;

INSERT INTO new_media
    (id, workspace_id, session_id, slot, purpose, labels, attempt, original_filename, description,
     kind, mime_type, size_bytes, sha256, original_mime_type, original_size_bytes, original_sha256,
     scan_status, created_at, retain_until)
SELECT
    id, workspace_id, session_id, slot, purpose,
    coalesce((SELECT json_extract(metadata, '$.labels') FROM upload_session
              WHERE upload_session.id = session_id), '{}'),
    attempt, original_filename, description,
    CASE WHEN mime_type LIKE 'text/%' OR mime_type LIKE 'application/%' THEN 'document'
         WHEN mime_type LIKE 'image/%' THEN 'image'
         WHEN mime_type LIKE 'video/%' THEN 'video'
         WHEN mime_type LIKE 'audio/%' THEN 'audio'
         ELSE 'other' END,
    mime_type, size_bytes, sha256, original_mime_type, original_size_bytes, original_sha256,
    scan_status, created_at, retain_until
FROM media;

DROP TABLE media;
ALTER TABLE new_media RENAME TO media;

CREATE INDEX media_workspace ON media (workspace_id, id);
CREATE INDEX media_retain ON media (retain_until) WHERE retain_until IS NOT NULL;
CREATE INDEX media_check ON media (check_due_at) WHERE check_due_at IS NOT NULL;

-- Bytes that are nobody's any more. The row goes once they are gone.
CREATE TABLE doomed (
    key    TEXT PRIMARY KEY,
    due_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX doomed_due ON doomed (due_at);
