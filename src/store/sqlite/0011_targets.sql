-- For how long a media is kept while it is attached to nothing: from when it came, and anew from when
-- it was detached.
ALTER TABLE media ADD COLUMN retain_seconds INTEGER;
UPDATE media SET retain_seconds = (retain_until - created_at) / 1000000 WHERE retain_until IS NOT NULL;

-- A target's media in their order.
DROP INDEX attachment_target;
CREATE INDEX attachment_target ON attachment (workspace_id, target_type, target_id, position, id);
