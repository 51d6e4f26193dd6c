-- What accounts bring along from another system: the id that they had there, a phone number, data that the application
-- alone may set.
ALTER TABLE users ADD COLUMN external_id text;
ALTER TABLE users ADD COLUMN phone text; -- E.164
ALTER TABLE users ADD COLUMN app_metadata text;

CREATE UNIQUE INDEX users_external_id ON users (external_id) WHERE external_id IS NOT NULL;

-- The accounts at other providers by which people signed in.
CREATE TABLE linked_identities (
  provider   text      NOT NULL,
  subject    text      NOT NULL, -- the id of the person there
  user_id    blob      NOT NULL REFERENCES users ON DELETE CASCADE,
  email      text,
  created_at timestamp NOT NULL,
  PRIMARY KEY (provider, subject)
);

CREATE INDEX linked_identities_user_id ON linked_identities (user_id);

-- The secrets of authenticator apps, sealed under the server secret. Nothing asks for a code of them yet.
CREATE TABLE imported_totp (
  user_id    blob      PRIMARY KEY REFERENCES users ON DELETE CASCADE,
  sealed     blob      NOT NULL,
  created_at timestamp NOT NULL
);
