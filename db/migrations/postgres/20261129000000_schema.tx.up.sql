-- email is NULL once somebody else proved to own the address of an account that never did. From password_disabled_at
-- on, no password is taken, right or wrong, until the person chooses another one by mail.
CREATE TABLE IF NOT EXISTS users (
  id                      uuid        PRIMARY KEY,
  number                  integer     NOT NULL UNIQUE,
  email                   text,
  email_canonical         text        UNIQUE,
  email_verified_at       timestamptz,
  username                text,
  username_canonical      text        UNIQUE,
  name                    text,
  metadata                jsonb,
  role                    text        NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
  status                  text        NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'SUSPENDED')),
  password_hash           text,
  created_at              timestamptz NOT NULL,
  updated_at              timestamptz NOT NULL,
  last_login_at           timestamptz,
  locale                  text, -- the language of mails to the person
  pending_email           text, -- waits to be confirmed
  pending_email_canonical text,
  pending_shown           boolean     NOT NULL DEFAULT false, -- shown in place of email, which stays that of recovery
  password_disabled_at    timestamptz,
  devices_cleared_at      timestamptz, -- no device token of before counts
  invited                 boolean     NOT NULL DEFAULT false -- an administrator made the account for its owner
) WITH (fillfactor = 90);

-- The few administrators among many users: is there another one? Lists of users go by the primary key, which is ordered
-- by time.
CREATE INDEX IF NOT EXISTS users_admins ON users (id) WHERE role = 'admin';

-- Whoever proves an address ends the wait of others for it. One account alone shows an address that waits.
CREATE INDEX IF NOT EXISTS users_pending ON users (pending_email_canonical)
WHERE pending_email_canonical IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS users_shown_email_canonical ON users (pending_email_canonical) WHERE pending_shown;

-- What a refresh and a use write (generation, used_generation, rotated_at, retry_until, last_used_at, user_agent, ip)
-- is in no index: a heap-only update.
--
-- used_generation is the newest generation of which an access token was used. Until retry_until a refresh token whose
-- answer was lost gets the same successor again: retried_generation is the last generation for which that happened,
-- retries counts how often, retried_at says when last, and retried_since is the first of such generations in a row.
-- Without retry_until the last rotation was where each token is good once.
CREATE TABLE IF NOT EXISTS sessions (
  id                 uuid        PRIMARY KEY,
  number             integer     NOT NULL UNIQUE,
  user_id            uuid        NOT NULL REFERENCES users ON DELETE CASCADE,
  generation         bigint      NOT NULL DEFAULT 0,
  used_generation    bigint      NOT NULL DEFAULT 0,
  methods            jsonb       NOT NULL,
  user_agent         text,
  ip                 text,
  dialect            text        NOT NULL,
  created_at         timestamptz NOT NULL,
  authenticated_at   timestamptz NOT NULL,
  rotated_at         timestamptz,
  retry_until        timestamptz,
  retried_generation bigint      NOT NULL DEFAULT -1,
  retried_since      bigint      NOT NULL DEFAULT -1,
  retries            integer     NOT NULL DEFAULT 0,
  retried_at         timestamptz,
  last_used_at       timestamptz NOT NULL,
  expires_at         timestamptz NOT NULL,
  idle_seconds       integer     NOT NULL,
  revoked_at         timestamptz,
  revoked_reason     text
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
  revoked_at   timestamptz,
  rotated_at   timestamptz -- when its secret was made anew or its scopes were changed
) WITH (fillfactor = 90);
CREATE INDEX IF NOT EXISTS api_keys_user_id ON api_keys (user_id);

-- Events outlive the accounts that they speak of, so nothing here is a foreign key.
CREATE TABLE IF NOT EXISTS audit_events (
  id         uuid        PRIMARY KEY,
  at         timestamptz NOT NULL,
  action     text        NOT NULL CHECK (action <> ''),
  outcome    text        NOT NULL CHECK (outcome IN ('ok', 'failed')),
  reason     text,
  user_id    uuid,
  session_id uuid,
  key_id     uuid,
  methods    jsonb,
  dialect    text        NOT NULL,
  ip         text,
  user_agent text,
  request_id text        NOT NULL,
  actor_id   uuid -- who did this to the account of somebody else: an administrator; NULL for the own account
);

-- Refreshes are by far the most events, and the first to be deleted.
CREATE INDEX IF NOT EXISTS audit_events_refreshes ON audit_events (id) WHERE action = 'session.refreshed';

-- Consecutive failures. account_key is the account, or the pseudonym of an account that does not exist. scope names the
-- device that showed its token, the session of a person who was signed in, or the keyed hash of the name that somebody
-- else typed; * is for the failures in every scope.
CREATE TABLE IF NOT EXISTS throttles (
  account_key uuid        NOT NULL,
  scope       text        NOT NULL,
  failures    integer     NOT NULL,
  failed_at   timestamptz NOT NULL,
  logged_at   timestamptz, -- when an attempt that was refused unseen last left an event
  PRIMARY KEY (account_key, scope)
) WITH (fillfactor = 70);
CREATE INDEX IF NOT EXISTS throttles_failed_at ON throttles (failed_at);

-- Token buckets by address (GCRA), shared by all instances. They may be lost in a crash, so they cost no WAL.
CREATE UNLOGGED TABLE IF NOT EXISTS rate_limits (
  key text        PRIMARY KEY,
  tat timestamptz NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE IF NOT EXISTS signing_keys (
  kid          text        PRIMARY KEY,
  alg          text        NOT NULL,
  state        text        NOT NULL CHECK (state IN ('next', 'active', 'retired')),
  private_key  bytea       NOT NULL,
  created_at   timestamptz NOT NULL,
  activated_at timestamptz,
  retired_at   timestamptz
);
CREATE UNIQUE INDEX IF NOT EXISTS signing_keys_one_active ON signing_keys (state) WHERE state = 'active';
CREATE UNIQUE INDEX IF NOT EXISTS signing_keys_one_next ON signing_keys (state) WHERE state = 'next';

-- When servers first and last made things under a server secret, by the public id of the secret.
CREATE TABLE IF NOT EXISTS server_secrets (
  id            text        PRIMARY KEY,
  first_used_at timestamptz NOT NULL,
  last_used_at  timestamptz NOT NULL
);

-- Who calls which route of a dialect, by the day (UTC). kind is API_KEY (caller: the first characters of the key),
-- USER_AGENT (caller: the header, block: the network of the address) or OTHER, for the callers beyond the first 200 of
-- a route and day.
CREATE TABLE IF NOT EXISTS dialect_usage (
  day      date        NOT NULL,
  dialect  text        NOT NULL,
  route    text        NOT NULL,
  kind     text        NOT NULL,
  caller   text        NOT NULL,
  block    text        NOT NULL,
  calls    bigint      NOT NULL,
  refused  bigint      NOT NULL,
  first_at timestamptz NOT NULL,
  last_at  timestamptz NOT NULL,
  PRIMARY KEY (day, dialect, route, kind, caller, block)
);

-- Registrations that wait for a proof of their address. id becomes the id of the account: the device token that the
-- answer of the registration gave names it. Several may wait for one address; the first that is proved makes the
-- account, and the others end. Whether the address is anybody's already does not matter here, so that nobody learns it.
CREATE TABLE IF NOT EXISTS registrations (
  id                  uuid        PRIMARY KEY,
  address             text        NOT NULL,
  address_canonical   text        NOT NULL,
  username            text, -- taken when the account is made
  username_canonical  text,
  name                text,
  metadata            jsonb,
  password_hash       text, -- NULL where none was chosen
  locale              text,
  dialect             text        NOT NULL,
  send_welcome        boolean     NOT NULL, -- the mails that follow when the account is made
  send_password_setup boolean     NOT NULL,
  created_at          timestamptz NOT NULL,
  expires_at          timestamptz NOT NULL -- with the newest token that was mailed for it
);

CREATE INDEX IF NOT EXISTS registrations_address ON registrations (address_canonical);
CREATE INDEX IF NOT EXISTS registrations_expires_at ON registrations (expires_at);

-- What a mail lets somebody do once. Neither the token nor the code is here: both are made from the id. The token
-- confirms or reverts to address, and no other. user_id is NULL while a registration waits for the token.
CREATE TABLE IF NOT EXISTS one_time_tokens (
  id                uuid        PRIMARY KEY,
  purpose           text        NOT NULL,
  user_id           uuid        REFERENCES users ON DELETE CASCADE,
  registration_id   uuid,
  address           text        NOT NULL,
  address_canonical text        NOT NULL,
  mail_id           uuid        NOT NULL, -- of mails of a kind the newest counts, in whatever order they are sent
  return_to         text        NOT NULL DEFAULT '', -- where a sign-in by the token goes on
  created_at        timestamptz NOT NULL,
  expires_at        timestamptz NOT NULL,
  invalidated_at    timestamptz, -- when it was redeemed, or superseded
  redeemed          boolean     NOT NULL DEFAULT false
);

CREATE INDEX IF NOT EXISTS one_time_tokens_user_id ON one_time_tokens (user_id, purpose);

-- By the address that somebody types a code beside.
CREATE INDEX IF NOT EXISTS one_time_tokens_address ON one_time_tokens (address_canonical, purpose);

CREATE INDEX IF NOT EXISTS one_time_tokens_expires_at ON one_time_tokens (expires_at);

-- Wrong codes within an hour, by a keyed hash of the address that they were typed beside and of what they were for: no
-- account and no token, so that neither deleting an account nor asking for another code gives further tries.
CREATE TABLE IF NOT EXISTS code_tries (
  address  bytea PRIMARY KEY,
  tries    integer NOT NULL,
  first_at timestamptz NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX IF NOT EXISTS code_tries_first_at ON code_tries (first_at);

-- The mails, from the change that they are about until some time after they were sent. The words are made when a mail
-- is sent or shown. user_id is NULL until the mail is resolved: nobody knows yet whose address it is, or whether
-- anybody has it.
CREATE TABLE IF NOT EXISTS mails (
  id                uuid        PRIMARY KEY,
  kind              text        NOT NULL,
  user_id           uuid        REFERENCES users ON DELETE CASCADE,
  registration_id   uuid, -- of a mail about a registration, which has no account yet
  address           text        NOT NULL,
  address_canonical text        NOT NULL,
  token_id          uuid,
  locale            text        NOT NULL,
  dialect           text        NOT NULL,
  link              text        NOT NULL,
  ttl_seconds       integer     NOT NULL,
  data              jsonb       NOT NULL,
  state             text        NOT NULL CHECK (state IN ('QUEUED', 'SENT', 'FAILED')),
  attempts          integer     NOT NULL DEFAULT 0,
  last_error        text,
  next_attempt_at   timestamptz, -- after one that failed, or while a notice is held for a digest
  created_at        timestamptz NOT NULL,
  resolved_at       timestamptz,
  sent_at           timestamptz
);

CREATE INDEX IF NOT EXISTS mails_user_id ON mails (user_id);
CREATE INDEX IF NOT EXISTS mails_registrations ON mails (address_canonical) WHERE registration_id IS NOT NULL;

-- Sent mails are swept after a week.
CREATE INDEX IF NOT EXISTS mails_sent_at ON mails (sent_at) WHERE sent_at IS NOT NULL;

-- How many mails went to a mailbox within a day, by a keyed hash of it: no account, so that deleting one refills
-- nothing. mails has the time in microseconds and the kind of each. over_budget is whether the last one was over the
-- budget, noted_at when one of those last left an event, and unnoted how many there were since, that one included.
CREATE TABLE IF NOT EXISTS mail_budgets (
  mailbox     bytea       PRIMARY KEY,
  mails       jsonb       NOT NULL,
  counted_at  timestamptz NOT NULL,
  over_budget boolean     NOT NULL DEFAULT false,
  unnoted     integer     NOT NULL DEFAULT 0,
  noted_at    timestamptz
) WITH (fillfactor = 70);

CREATE INDEX IF NOT EXISTS mail_budgets_counted_at ON mail_budgets (counted_at);

-- The devices that an account was signed in from. device is a keyed hash of what it calls itself and of its address
-- block. session_id is the first session that began there.
CREATE TABLE IF NOT EXISTS known_devices (
  user_id    uuid        NOT NULL REFERENCES users ON DELETE CASCADE,
  device     bytea       NOT NULL,
  session_id uuid        NOT NULL,
  seen_at    timestamptz NOT NULL,
  PRIMARY KEY (user_id, device)
);

CREATE INDEX IF NOT EXISTS known_devices_seen_at ON known_devices (seen_at);
