-- What was begun in the object store for a claim's bytes, and is found by no key.
ALTER TABLE claim ADD COLUMN begun TEXT;
