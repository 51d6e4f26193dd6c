-- mfa_enabled_at is when the account got its first second factor; NULL while it has none. auth_version counts what ends
-- a sign-in that has begun: changes of factors, and of the password by its owner.
ALTER TABLE users ADD COLUMN mfa_enabled_at timestamp;
ALTER TABLE users ADD COLUMN auth_version integer NOT NULL DEFAULT 0;

-- proved_by is the method of the last proof, factor_at the last proof by a second factor. A sign-in that waits for its second factor is a session that has
-- ended, for the reason challenge: nothing takes it for one that is alive. It becomes one by the right code until
-- challenge_until, while challenge_version is the auth_version of its account.
ALTER TABLE sessions ADD COLUMN proved_by text;
ALTER TABLE sessions ADD COLUMN factor_at timestamp;
ALTER TABLE sessions ADD COLUMN challenge_until timestamp;
ALTER TABLE sessions ADD COLUMN challenge_version integer;
ALTER TABLE sessions ADD COLUMN challenge_tries integer NOT NULL DEFAULT 0;

-- Authenticator apps. One that was never confirmed asks nobody for anything. last_step is the newest step of 30 seconds
-- whose code was taken: no code is good twice (RFC 6238 section 5.2).
CREATE TABLE authenticators (
  id           blob      PRIMARY KEY,
  user_id      blob      NOT NULL REFERENCES users ON DELETE CASCADE,
  name         text      NOT NULL,
  sealed       blob      NOT NULL, -- the secret, sealed under the server secret
  created_at   timestamp NOT NULL,
  confirmed_at timestamp,
  last_step    integer   NOT NULL DEFAULT 0,
  last_used_at timestamp
);
CREATE INDEX authenticators_user_id ON authenticators (user_id);
CREATE INDEX authenticators_waiting ON authenticators (created_at) WHERE confirmed_at IS NULL;

-- Keyed hashes of codes that are good once.
CREATE TABLE recovery_codes (
  user_id    blob      NOT NULL REFERENCES users ON DELETE CASCADE,
  hash       blob      NOT NULL,
  short      boolean   NOT NULL, -- of eight digits, as one dialect has them
  created_at timestamp NOT NULL,
  used_at    timestamp,
  PRIMARY KEY (user_id, hash)
);

-- Wrong codes of an account, by day. scope names the device that showed its token; '' is for all others.
CREATE TABLE factor_tries (
  user_id blob    NOT NULL REFERENCES users ON DELETE CASCADE,
  scope   text    NOT NULL,
  day     text    NOT NULL,
  tries   integer NOT NULL,
  PRIMARY KEY (user_id, scope, day)
);
CREATE INDEX factor_tries_day ON factor_tries (day);

-- Devices that are asked for no second factor until expires_at. session_id is the session that was told to remember it.
CREATE TABLE remembered_devices (
  user_id    blob      NOT NULL REFERENCES users ON DELETE CASCADE,
  device     blob      NOT NULL,
  session_id blob      NOT NULL,
  created_at timestamp NOT NULL,
  expires_at timestamp NOT NULL,
  PRIMARY KEY (user_id, device)
);
CREATE INDEX remembered_devices_expires_at ON remembered_devices (expires_at);

-- Secrets that an import brought are factors from now on.
INSERT INTO authenticators (id, user_id, name, sealed, created_at, confirmed_at)
SELECT user_id, user_id, 'Authenticator app', sealed, created_at, created_at FROM imported_totp;
UPDATE users SET mfa_enabled_at = i.created_at, auth_version = auth_version + 1
FROM imported_totp i WHERE i.user_id = users.id;
DROP TABLE imported_totp;
