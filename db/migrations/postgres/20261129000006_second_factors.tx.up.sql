-- mfa_enabled_at is when the account got its first second factor; NULL while it has none. auth_version counts what ends
-- a sign-in that has begun: changes of factors, and of the password by its owner.
ALTER TABLE users
  ADD COLUMN IF NOT EXISTS mfa_enabled_at timestamptz,
  ADD COLUMN IF NOT EXISTS auth_version   integer NOT NULL DEFAULT 0;

-- proved_by is the method of the last proof, factor_at the last proof by a second factor. A sign-in that waits for its second factor is a session that has
-- ended, for the reason challenge: nothing takes it for one that is alive. It becomes one by the right code until
-- challenge_until, while challenge_version is the auth_version of its account.
ALTER TABLE sessions
  ADD COLUMN IF NOT EXISTS proved_by         text,
  ADD COLUMN IF NOT EXISTS factor_at         timestamptz,
  ADD COLUMN IF NOT EXISTS challenge_until   timestamptz,
  ADD COLUMN IF NOT EXISTS challenge_version integer,
  ADD COLUMN IF NOT EXISTS challenge_tries   integer NOT NULL DEFAULT 0;

-- Authenticator apps. One that was never confirmed asks nobody for anything. last_step is the newest step of 30 seconds
-- whose code was taken: no code is good twice (RFC 6238 section 5.2).
CREATE TABLE IF NOT EXISTS authenticators (
  id           uuid        PRIMARY KEY,
  user_id      uuid        NOT NULL REFERENCES users ON DELETE CASCADE,
  name         text        NOT NULL,
  sealed       bytea       NOT NULL, -- the secret, sealed under the server secret
  created_at   timestamptz NOT NULL,
  confirmed_at timestamptz,
  last_step    bigint      NOT NULL DEFAULT 0,
  last_used_at timestamptz
);
CREATE INDEX IF NOT EXISTS authenticators_user_id ON authenticators (user_id);
CREATE INDEX IF NOT EXISTS authenticators_waiting ON authenticators (created_at) WHERE confirmed_at IS NULL;

-- Keyed hashes of codes that are good once.
CREATE TABLE IF NOT EXISTS recovery_codes (
  user_id    uuid        NOT NULL REFERENCES users ON DELETE CASCADE,
  hash       bytea       NOT NULL,
  short      boolean     NOT NULL, -- of eight digits, as one dialect has them
  created_at timestamptz NOT NULL,
  used_at    timestamptz,
  PRIMARY KEY (user_id, hash)
);

-- Wrong codes of an account, by day. scope names the device that showed its token; '' is for all others.
CREATE TABLE IF NOT EXISTS factor_tries (
  user_id uuid    NOT NULL REFERENCES users ON DELETE CASCADE,
  scope   text    NOT NULL,
  day     date    NOT NULL,
  tries   integer NOT NULL,
  PRIMARY KEY (user_id, scope, day)
);
CREATE INDEX IF NOT EXISTS factor_tries_day ON factor_tries (day);

-- Devices that are asked for no second factor until expires_at. session_id is the session that was told to remember it.
CREATE TABLE IF NOT EXISTS remembered_devices (
  user_id    uuid        NOT NULL REFERENCES users ON DELETE CASCADE,
  device     uuid        NOT NULL,
  session_id uuid        NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (user_id, device)
);
CREATE INDEX IF NOT EXISTS remembered_devices_expires_at ON remembered_devices (expires_at);

-- Secrets that an import brought are factors from now on.
DO $$
BEGIN
  IF to_regclass('imported_totp') IS NOT NULL THEN
    INSERT INTO authenticators (id, user_id, name, sealed, created_at, confirmed_at)
    SELECT user_id, user_id, 'Authenticator app', sealed, created_at, created_at FROM imported_totp;
    UPDATE users SET mfa_enabled_at = i.created_at, auth_version = auth_version + 1
    FROM imported_totp i WHERE i.user_id = users.id;
    DROP TABLE imported_totp;
  END IF;
END $$;
