-- Times are microseconds since 1970. UUIDs and ULIDs are 16 bytes.

CREATE TABLE workspace (
    id         BLOB PRIMARY KEY,
    alias      TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    is_default INTEGER UNIQUE CHECK (is_default = 1),
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE upload_session (
    id              BLOB PRIMARY KEY,
    token           BLOB NOT NULL UNIQUE,
    workspace_id    BLOB NOT NULL REFERENCES workspace (id),
    asked_by        TEXT NOT NULL,
    purpose         TEXT NOT NULL,
    prompt          TEXT,
    metadata        TEXT NOT NULL,
    limits          TEXT NOT NULL,
    max_files       INTEGER NOT NULL,
    retain_seconds  INTEGER,
    state           TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    redeem_by       INTEGER NOT NULL,
    opened_at       INTEGER,
    ended_at        INTEGER,
    last_error      TEXT,
    decline_reason  TEXT,
    consumed_type   TEXT,
    consumed_id     TEXT
) STRICT;

-- The sweep finds what is due without looking at the rest.
CREATE INDEX upload_session_due ON upload_session (redeem_by) WHERE state = 'pending';
CREATE INDEX upload_session_ended ON upload_session (ended_at) WHERE ended_at IS NOT NULL;

-- A live claim holds a slot. A lost one holds none; its row stays until its bytes are gone.
CREATE TABLE claim (
    id          BLOB PRIMARY KEY,
    session_id  BLOB NOT NULL REFERENCES upload_session (id),
    slot        INTEGER,
    media_id    BLOB NOT NULL UNIQUE,
    media_key   TEXT,
    attempt     BLOB,
    began_at    INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    UNIQUE (session_id, slot)
) STRICT;

CREATE INDEX claim_lease ON claim (lease_until);

CREATE TABLE media (
    id                  BLOB PRIMARY KEY,
    workspace_id        BLOB NOT NULL REFERENCES workspace (id),
    session_id          BLOB NOT NULL,
    slot                INTEGER NOT NULL,
    purpose             TEXT NOT NULL,
    attempt             BLOB,
    original_filename   TEXT NOT NULL,
    description         TEXT,
    mime_type           TEXT NOT NULL,
    size_bytes          INTEGER NOT NULL,
    sha256              BLOB NOT NULL,
    original_mime_type  TEXT NOT NULL,
    original_size_bytes INTEGER NOT NULL,
    original_sha256     BLOB NOT NULL,
    scan_status         TEXT NOT NULL,
    created_at          INTEGER NOT NULL,
    retain_until        INTEGER,
    UNIQUE (session_id, slot)
) STRICT;

CREATE TABLE handle (
    value    TEXT PRIMARY KEY,
    name     TEXT NOT NULL,
    media_id BLOB NOT NULL REFERENCES media (id),
    UNIQUE (media_id, name)
) STRICT;

CREATE TABLE attachment (
    id           BLOB PRIMARY KEY,
    workspace_id BLOB NOT NULL REFERENCES workspace (id),
    media_id     BLOB NOT NULL REFERENCES media (id),
    target_type  TEXT NOT NULL,
    target_id    TEXT NOT NULL,
    alt          TEXT,
    position     INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    UNIQUE (media_id, target_type, target_id)
) STRICT;

CREATE INDEX attachment_target ON attachment (workspace_id, target_type, target_id, position);
