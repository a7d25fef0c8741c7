-- Who may.

ALTER TABLE workspace ADD COLUMN archived_at INTEGER;

CREATE TABLE principal (
    id         BLOB PRIMARY KEY,
    kind       TEXT NOT NULL,
    name       TEXT NOT NULL,
    email      TEXT,
    is_system  INTEGER UNIQUE CHECK (is_system = 1),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A person is known by the address.
CREATE UNIQUE INDEX principal_email ON principal (email) WHERE email IS NOT NULL;

CREATE TABLE api_key (
    id           BLOB PRIMARY KEY,
    name         TEXT NOT NULL,
    principal_id BLOB NOT NULL REFERENCES principal (id),
    capabilities TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE api_key_workspace (
    api_key_id   BLOB NOT NULL REFERENCES api_key (id),
    workspace_id BLOB NOT NULL REFERENCES workspace (id),
    PRIMARY KEY (api_key_id, workspace_id)
) STRICT, WITHOUT ROWID;

-- The secrets of a key: one, and while it is being replaced two. Kept by their SHA-256.
CREATE TABLE api_key_secret (
    sha256       BLOB PRIMARY KEY,
    api_key_id   BLOB NOT NULL REFERENCES api_key (id),
    prefix       TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX api_key_secret_key ON api_key_secret (api_key_id, created_at);

-- Principals and keys are never deleted. NULL: from before there were any.
ALTER TABLE upload_session ADD COLUMN created_by BLOB;
ALTER TABLE upload_session ADD COLUMN api_key_id BLOB;
ALTER TABLE media ADD COLUMN created_by BLOB;
ALTER TABLE attachment ADD COLUMN created_by BLOB;
