-- Who did what. A line outlives all that it tells of, so it refers to nothing.

CREATE TABLE audit (
    id           INTEGER PRIMARY KEY,
    at           INTEGER NOT NULL,
    workspace_id BLOB,
    actor_kind   TEXT NOT NULL,
    principal_id BLOB,
    actor_name   TEXT,
    api_key_id   BLOB,
    action       TEXT NOT NULL,
    subject      TEXT NOT NULL,
    detail       TEXT NOT NULL
) STRICT;

CREATE INDEX audit_time ON audit (at);
CREATE INDEX audit_workspace ON audit (workspace_id, at);

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;

CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;

-- What replaces a row deletes it without the trigger above.
CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;
