-- How a session's files come: through askfile (`proxy`), or straight into the store (`direct`).
ALTER TABLE upload_session ADD COLUMN transfer TEXT NOT NULL DEFAULT 'proxy';

-- A claim that is a grant: what is going to be sent, the key in the store that it lands at (none
-- where askfile itself takes it in), and until when it is somebody's turn to see to what landed.
ALTER TABLE claim ADD COLUMN spec TEXT;
ALTER TABLE claim ADD COLUMN lands_at TEXT;
ALTER TABLE claim ADD COLUMN turn_until INTEGER;

CREATE INDEX claim_landing ON claim (media_id) WHERE lands_at IS NOT NULL AND slot IS NOT NULL;
