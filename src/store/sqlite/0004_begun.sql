-- The key of what was begun in the object store for a claim's bytes.
ALTER TABLE claim ADD COLUMN begun TEXT;
