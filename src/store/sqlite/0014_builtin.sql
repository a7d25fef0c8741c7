-- askfile as an authorization server of its own: who may ask to be let in, the codes that people sign
-- in with, and what clients hold of keys that were made for them.

-- Clients that registered themselves.
CREATE TABLE oauth_client (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    redirect_uris TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    used_at       INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX oauth_client_unused ON oauth_client (created_at) WHERE used_at IS NULL;

-- A grant is a key that a client holds: its access tokens are the key's secrets.
ALTER TABLE api_key ADD COLUMN client_id TEXT;

CREATE INDEX api_key_grant ON api_key (created_at) WHERE client_id IS NOT NULL;
CREATE INDEX api_key_secret_end ON api_key_secret (expires_at) WHERE expires_at IS NOT NULL;

-- Kept until it was used or its time is over. Once it was typed, a ticket takes its place, with which
-- the one request that it was typed for is answered.
CREATE TABLE sign_in (
    name           TEXT PRIMARY KEY,
    sha256         BLOB NOT NULL,
    person         TEXT NOT NULL,
    email          TEXT,
    workspace_id   BLOB NOT NULL REFERENCES workspace (id),
    capabilities   TEXT NOT NULL,
    tries          INTEGER NOT NULL DEFAULT 0,
    ticket_sha256  BLOB UNIQUE,
    request_sha256 BLOB,
    browser_sha256 BLOB,
    expires_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_in_end ON sign_in (expires_at);

-- Used ones are kept for a while: whoever shows one again has stolen it, or was stolen from.
CREATE TABLE authorization_code (
    sha256       BLOB PRIMARY KEY,
    api_key_id   BLOB NOT NULL REFERENCES api_key (id),
    redirect_uri TEXT NOT NULL,
    challenge    BLOB NOT NULL,
    expires_at   INTEGER NOT NULL,
    used_at      INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX authorization_code_end ON authorization_code (expires_at);

CREATE TABLE refresh_token (
    sha256     BLOB PRIMARY KEY,
    api_key_id BLOB NOT NULL REFERENCES api_key (id),
    expires_at INTEGER NOT NULL,
    used_at    INTEGER,
    shown      INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_token_end ON refresh_token (expires_at);
