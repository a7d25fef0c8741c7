-- Requests with a key of their own (Idempotency-Key). Without a status, one is still being answered,
-- until its lease ends.

CREATE TABLE request (
    principal_id BLOB NOT NULL,
    key          TEXT NOT NULL,
    lease_until  INTEGER NOT NULL,
    sha256       BLOB,
    bytes        INTEGER,
    status       INTEGER,
    body         BLOB,
    forget_at    INTEGER NOT NULL,
    PRIMARY KEY (principal_id, key)
) STRICT;

CREATE INDEX request_forget ON request (forget_at);
