-- What is attached is kept, whatever its retention says, so the sweep does not look at it.
ALTER TABLE media ADD COLUMN is_attached INTEGER NOT NULL DEFAULT 0;
UPDATE media SET is_attached = 1
    WHERE EXISTS (SELECT 1 FROM attachment WHERE attachment.media_id = media.id);

DROP INDEX media_retain;
CREATE INDEX media_retain ON media (retain_until)
    WHERE retain_until IS NOT NULL AND is_attached = 0;

-- Whether a session is expired because its last file was deleted, and not because its link lapsed.
ALTER TABLE upload_session ADD COLUMN media_gone INTEGER NOT NULL DEFAULT 0;
