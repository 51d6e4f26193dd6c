CREATE TABLE IF NOT EXISTS users (
  id                 blob        PRIMARY KEY,
  number             integer     NOT NULL UNIQUE,
  email              text,
  email_canonical    text        NOT NULL UNIQUE,
  email_verified_at  timestamp,
  username           text,
  username_canonical text        UNIQUE,
  name               text,
  metadata           text,
  role               text        NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
  status             text        NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'SUSPENDED')),
  password_hash      text,
  created_at         timestamp   NOT NULL,
  updated_at         timestamp   NOT NULL,
  last_login_at      timestamp
);

CREATE TABLE IF NOT EXISTS sessions (
  id               blob        PRIMARY KEY,
  number           integer     NOT NULL UNIQUE,
  user_id          blob        NOT NULL REFERENCES users ON DELETE CASCADE,
  generation       bigint      NOT NULL DEFAULT 0,
  methods          text        NOT NULL,
  user_agent       text,
  ip               text,
  dialect          text        NOT NULL,
  created_at       timestamp   NOT NULL,
  authenticated_at timestamp   NOT NULL,
  rotated_at       timestamp,
  last_used_at     timestamp   NOT NULL,
  expires_at       timestamp   NOT NULL,
  idle_seconds     integer     NOT NULL,
  revoked_at       timestamp,
  revoked_reason   text
);

CREATE INDEX IF NOT EXISTS sessions_user_id ON sessions (user_id);

CREATE INDEX IF NOT EXISTS sessions_expires_at ON sessions (expires_at);

CREATE INDEX IF NOT EXISTS sessions_revoked_at ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE IF NOT EXISTS api_keys (
  id           blob        PRIMARY KEY,
  user_id      blob        NOT NULL REFERENCES users ON DELETE CASCADE,
  handle       text        NOT NULL UNIQUE,
  hash         blob        NOT NULL,
  prefix       text        NOT NULL,
  name         text        NOT NULL,
  scopes       text        NOT NULL,
  created_at   timestamp   NOT NULL,
  last_used_at timestamp,
  expires_at   timestamp,
  revoked_at   timestamp
);

CREATE INDEX IF NOT EXISTS api_keys_user_id ON api_keys (user_id);

-- Events outlive the accounts that they speak of, so nothing here is a foreign key.
CREATE TABLE IF NOT EXISTS audit_events (
  id         blob        PRIMARY KEY,
  at         timestamp   NOT NULL,
  action     text        NOT NULL,
  outcome    text        NOT NULL CHECK (outcome IN ('ok', 'failed')),
  reason     text,
  user_id    blob,
  session_id blob,
  key_id     blob,
  methods    text,
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
  subject   blob        NOT NULL,
  address   text        NOT NULL,
  failures  integer     NOT NULL,
  failed_at timestamp   NOT NULL,
  noted_at  timestamp, -- when an attempt was last refused unseen
  PRIMARY KEY (subject, address)
);

CREATE INDEX IF NOT EXISTS throttles_failed_at ON throttles (failed_at);

CREATE TABLE IF NOT EXISTS signing_keys (
  kid         text        PRIMARY KEY,
  alg         text        NOT NULL,
  state       text        NOT NULL CHECK (state IN ('next', 'active', 'retired')),
  private_key blob        NOT NULL,
  created_at  timestamp   NOT NULL
);

CREATE UNIQUE INDEX IF NOT EXISTS signing_keys_one_active ON signing_keys (state) WHERE state = 'active';
