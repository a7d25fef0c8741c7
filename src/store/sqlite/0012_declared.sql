-- What a program declared that it will send: of which type and length, and how it is called.
ALTER TABLE upload_session ADD COLUMN spec TEXT;
CREATE INDEX declared ON upload_session (workspace_id, id) WHERE spec IS NOT NULL;
CREATE INDEX declared_external_id
    ON upload_session (workspace_id, metadata ->> '$.external_id', id) WHERE spec IS NOT NULL;
-- While an upload is open, programs are told one word, whatever goes on.
CREATE INDEX declared_state ON upload_session (
    workspace_id, iif(state IN ('receiving', 'checking'), 'pending', state), id
) WHERE spec IS NOT NULL;

CREATE TABLE declared_label (
    workspace_id BLOB NOT NULL,
    key          TEXT NOT NULL,
    value        TEXT NOT NULL,
    session_id   BLOB NOT NULL,
    PRIMARY KEY (workspace_id, key, value, session_id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER labels_of_declared AFTER DELETE ON upload_session
WHEN OLD.spec IS NOT NULL BEGIN
    DELETE FROM declared_label
        WHERE session_id = OLD.id AND workspace_id = OLD.workspace_id
            AND (key, value) IN (SELECT key, value FROM json_each(OLD.metadata, '$.labels'));
END;

-- One installation is one account.
CREATE TABLE account (
    id     BLOB PRIMARY KEY,
    is_own INTEGER NOT NULL UNIQUE CHECK (is_own = 1)
) STRICT, WITHOUT ROWID;
