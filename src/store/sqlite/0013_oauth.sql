-- People whom an identity provider knows, and the tokens of theirs that were checked lately.

ALTER TABLE principal ADD COLUMN issuer TEXT;
ALTER TABLE principal ADD COLUMN subject TEXT;

-- A provider's people are known by what it calls them, not by an address that may be anybody's.
DROP INDEX principal_email;
CREATE UNIQUE INDEX principal_email ON principal (email) WHERE email IS NOT NULL AND issuer IS NULL;
CREATE UNIQUE INDEX principal_subject ON principal (issuer, subject) WHERE issuer IS NOT NULL;

CREATE TABLE access_token (
    sha256       BLOB PRIMARY KEY,
    principal_id BLOB NOT NULL REFERENCES principal (id),
    capabilities TEXT NOT NULL,
    checked_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX access_token_end ON access_token (expires_at);

CREATE TABLE access_token_workspace (
    sha256       BLOB NOT NULL REFERENCES access_token (sha256) ON DELETE CASCADE,
    workspace_id BLOB NOT NULL REFERENCES workspace (id),
    PRIMARY KEY (sha256, workspace_id)
) STRICT, WITHOUT ROWID;
