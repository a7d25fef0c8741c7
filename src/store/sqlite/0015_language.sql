-- What the person is spoken to in; NULL where the client does not say.
ALTER TABLE upload_session ADD COLUMN language TEXT;
