-- What accounts bring along from another system: the id that they had there, a phone number, data that the application
-- alone may set.
ALTER TABLE users
  ADD COLUMN IF NOT EXISTS external_id  text,
  ADD COLUMN IF NOT EXISTS phone        text, -- E.164
  ADD COLUMN IF NOT EXISTS app_metadata jsonb;

CREATE UNIQUE INDEX IF NOT EXISTS users_external_id ON users (external_id) WHERE external_id IS NOT NULL;

-- The accounts at other providers by which people signed in.
CREATE TABLE IF NOT EXISTS linked_identities (
  provider   text        NOT NULL,
  subject    text        NOT NULL, -- the id of the person there
  user_id    uuid        NOT NULL REFERENCES users ON DELETE CASCADE,
  email      text,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (provider, subject)
);

CREATE INDEX IF NOT EXISTS linked_identities_user_id ON linked_identities (user_id);

-- The secrets of authenticator apps, sealed under the server secret. Nothing asks for a code of them yet.
CREATE TABLE IF NOT EXISTS imported_totp (
  user_id    uuid        PRIMARY KEY REFERENCES users ON DELETE CASCADE,
  sealed     bytea       NOT NULL,
  created_at timestamptz NOT NULL
);
