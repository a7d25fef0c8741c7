-- What back ends are to be told: a row for each event and endpoint.

CREATE TABLE webhook (
    id         BLOB PRIMARY KEY,
    endpoint   TEXT NOT NULL,
    session_id BLOB NOT NULL,
    event      TEXT NOT NULL,
    body       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- 'waiting', 'delivered' or 'dead'.
    state      TEXT NOT NULL DEFAULT 'waiting',
    -- When it is to be sent, or sent again; NULL: it was delivered or given up.
    due_at     INTEGER,
    tries      INTEGER NOT NULL DEFAULT 0,
    problem    TEXT
) STRICT;

CREATE INDEX webhook_due ON webhook (endpoint, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_ended ON webhook (state, created_at) WHERE due_at IS NULL;

-- How many events of a session were queued for an endpoint. Files, and so their events, may outlive
-- their session.
CREATE TABLE webhook_sequence (
    session_id BLOB NOT NULL,
    endpoint   TEXT NOT NULL,
    last       INTEGER NOT NULL,
    PRIMARY KEY (session_id, endpoint)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER sequence_of_session AFTER DELETE ON upload_session
WHEN NOT EXISTS (SELECT 1 FROM media WHERE session_id = OLD.id) BEGIN
    DELETE FROM webhook_sequence WHERE session_id = OLD.id;
END;
