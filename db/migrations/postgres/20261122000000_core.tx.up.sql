CREATE TABLE IF NOT EXISTS users (
  id                 uuid        PRIMARY KEY,
  number             integer     NOT NULL UNIQUE,
  email              text,
  email_canonical    text        NOT NULL UNIQUE,
  email_verified_at  timestamptz,
  username           text,
  username_canonical text        UNIQUE,
  name               text,
  metadata           jsonb,
  role               text        NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
  status             text        NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'SUSPENDED')),
  password_hash      text,
  created_at         timestamptz NOT NULL,
  updated_at         timestamptz NOT NULL,
  last_login_at      timestamptz
) WITH (fillfactor = 90);

-- What a refresh writes (generation, rotated_at, last_used_at, user_agent, ip) is in no index: a heap-only update.
CREATE TABLE IF NOT EXISTS sessions (
  id               uuid        PRIMARY KEY,
  number           integer     NOT NULL UNIQUE,
  user_id          uuid        NOT NULL REFERENCES users ON DELETE CASCADE,
  generation       bigint      NOT NULL DEFAULT 0,
  methods          jsonb       NOT NULL,
  user_agent       text,
  ip               text,
  dialect          text        NOT NULL,
  created_at       timestamptz NOT NULL,
  authenticated_at timestamptz NOT NULL,
  rotated_at       timestamptz,
  last_used_at     timestamptz NOT NULL,
  expires_at       timestamptz NOT NULL,
  idle_seconds     integer     NOT NULL,
  revoked_at       timestamptz,
  revoked_reason   text
) WITH (fillfactor = 70);
CREATE INDEX IF NOT EXISTS sessions_user_id ON sessions (user_id);
CREATE INDEX IF NOT EXISTS sessions_expires_at ON sessions (expires_at);
CREATE INDEX IF NOT EXISTS sessions_revoked_at ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE IF NOT EXISTS api_keys (
  id           uuid        PRIMARY KEY,
  user_id      uuid        NOT NULL REFERENCES users ON DELETE CASCADE,
  handle       text        NOT NULL UNIQUE,
  hash         bytea       NOT NULL,
  prefix       text        NOT NULL,
  name         text        NOT NULL,
  scopes       jsonb       NOT NULL,
  created_at   timestamptz NOT NULL,
  last_used_at timestamptz,
  expires_at   timestamptz,
  revoked_at   timestamptz
) WITH (fillfactor = 90);
CREATE INDEX IF NOT EXISTS api_keys_user_id ON api_keys (user_id);

-- Events outlive the accounts that they speak of, so nothing here is a foreign key.
CREATE TABLE IF NOT EXISTS audit_events (
  id         uuid        PRIMARY KEY,
  at         timestamptz NOT NULL,
  action     text        NOT NULL,
  outcome    text        NOT NULL CHECK (outcome IN ('ok', 'failed')),
  reason     text,
  user_id    uuid,
  session_id uuid,
  key_id     uuid,
  methods    jsonb,
  dialect    text        NOT NULL,
  ip         text,
  user_agent text,
  request_id text        NOT NULL
);

-- Refreshes are by far the most events, and the first to be deleted.
CREATE INDEX IF NOT EXISTS audit_events_refreshes ON audit_events (id) WHERE action = 'refresh' AND outcome = 'ok';

-- Consecutive failures by account, or by what stands for an account that does not exist; address is '' but for devices
-- that signed in before, which have a bucket of their own.
CREATE TABLE IF NOT EXISTS throttles (
  subject   uuid        NOT NULL,
  address   text        NOT NULL,
  failures  integer     NOT NULL,
  failed_at timestamptz NOT NULL,
  noted_at  timestamptz, -- when an attempt was last refused unseen
  PRIMARY KEY (subject, address)
) WITH (fillfactor = 70);
CREATE INDEX IF NOT EXISTS throttles_failed_at ON throttles (failed_at);

-- Token buckets by address (GCRA), shared by all instances. They may be lost in a crash, so they cost no WAL.
CREATE UNLOGGED TABLE IF NOT EXISTS rate_limits (
  key text        PRIMARY KEY,
  tat timestamptz NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE IF NOT EXISTS signing_keys (
  kid         text        PRIMARY KEY,
  alg         text        NOT NULL,
  state       text        NOT NULL CHECK (state IN ('next', 'active', 'retired')),
  private_key bytea       NOT NULL,
  created_at  timestamptz NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS signing_keys_one_active ON signing_keys (state) WHERE state = 'active';
