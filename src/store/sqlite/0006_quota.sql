-- What a workspace uses, counted by triggers: whoever changes what is counted, by whatever way, changes
-- the count in the same transaction, and no way can be forgotten.

-- Quotas of its own; NULL is the setting's, -1 is no limit.
ALTER TABLE workspace ADD COLUMN quota_stored INTEGER;
ALTER TABLE workspace ADD COLUMN quota_in_flight INTEGER;
ALTER TABLE workspace ADD COLUMN quota_links INTEGER;

ALTER TABLE workspace ADD COLUMN stored_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workspace ADD COLUMN in_flight_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workspace ADD COLUMN open_links INTEGER NOT NULL DEFAULT 0;

-- As many bytes as a claim's file may turn out to have.
ALTER TABLE claim ADD COLUMN reserved INTEGER NOT NULL DEFAULT 0;

UPDATE workspace SET
    stored_bytes = (SELECT coalesce(sum(size_bytes), 0) FROM media
        WHERE media.workspace_id = workspace.id AND scan_status <> 'blocked'),
    open_links = (SELECT count(*) FROM upload_session
        WHERE upload_session.workspace_id = workspace.id
            AND state IN ('pending', 'receiving', 'checking'));

-- A blocked file keeps its row and has no bytes.
CREATE TRIGGER media_stored AFTER INSERT ON media BEGIN
    UPDATE workspace
        SET stored_bytes = stored_bytes + iif(NEW.scan_status = 'blocked', 0, NEW.size_bytes)
        WHERE id = NEW.workspace_id;
END;

CREATE TRIGGER media_judged AFTER UPDATE OF size_bytes, scan_status ON media BEGIN
    UPDATE workspace
        SET stored_bytes = stored_bytes + iif(NEW.scan_status = 'blocked', 0, NEW.size_bytes)
            - iif(OLD.scan_status = 'blocked', 0, OLD.size_bytes)
        WHERE id = NEW.workspace_id;
END;

CREATE TRIGGER media_deleted AFTER DELETE ON media BEGIN
    UPDATE workspace
        SET stored_bytes = stored_bytes - iif(OLD.scan_status = 'blocked', 0, OLD.size_bytes)
        WHERE id = OLD.workspace_id;
END;

CREATE TRIGGER link_made AFTER INSERT ON upload_session
WHEN NEW.state IN ('pending', 'receiving', 'checking') BEGIN
    UPDATE workspace SET open_links = open_links + 1 WHERE id = NEW.workspace_id;
END;

CREATE TRIGGER link_closed AFTER UPDATE OF state ON upload_session
WHEN OLD.state IN ('pending', 'receiving', 'checking')
    AND NEW.state NOT IN ('pending', 'receiving', 'checking') BEGIN
    UPDATE workspace SET open_links = open_links - 1 WHERE id = NEW.workspace_id;
END;

CREATE TRIGGER link_deleted AFTER DELETE ON upload_session
WHEN OLD.state IN ('pending', 'receiving', 'checking') BEGIN
    UPDATE workspace SET open_links = open_links - 1 WHERE id = OLD.workspace_id;
END;

-- A lost claim, whose slot is NULL, reserves nothing.
CREATE TRIGGER claim_taken AFTER INSERT ON claim WHEN NEW.reserved > 0 BEGIN
    UPDATE workspace SET in_flight_bytes = in_flight_bytes + NEW.reserved
        WHERE id = (SELECT workspace_id FROM upload_session WHERE id = NEW.session_id);
END;

CREATE TRIGGER claim_changed AFTER UPDATE OF slot, reserved ON claim BEGIN
    UPDATE workspace
        SET in_flight_bytes = in_flight_bytes + iif(NEW.slot IS NULL, 0, NEW.reserved)
            - iif(OLD.slot IS NULL, 0, OLD.reserved)
        WHERE id = (SELECT workspace_id FROM upload_session WHERE id = NEW.session_id);
END;

CREATE TRIGGER claim_ended AFTER DELETE ON claim WHEN OLD.slot IS NOT NULL AND OLD.reserved > 0 BEGIN
    UPDATE workspace SET in_flight_bytes = in_flight_bytes - OLD.reserved
        WHERE id = (SELECT workspace_id FROM upload_session WHERE id = OLD.session_id);
END;
