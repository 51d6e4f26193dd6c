-- email is NULL once somebody else proved to own the address of an account that never did. From password_disabled_at
-- on, no password is taken, right or wrong, until the person chooses another one by mail.
CREATE TABLE IF NOT EXISTS users (
  id                      blob        PRIMARY KEY,
  number                  integer     NOT NULL UNIQUE,
  email                   text,
  email_canonical         text        UNIQUE,
  email_verified_at       timestamp,
  username                text,
  username_canonical      text        UNIQUE,
  name                    text,
  metadata                text,
  role                    text        NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
  status                  text        NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'SUSPENDED')),
  password_hash           text,
  created_at              timestamp   NOT NULL,
  updated_at              timestamp   NOT NULL,
  last_login_at           timestamp,
  locale                  text, -- the language of mails to the person
  pending_email           text, -- waits to be confirmed
  pending_email_canonical text,
  pending_shown           boolean     NOT NULL DEFAULT false, -- shown in place of email, which stays that of recovery
  password_disabled_at    timestamp,
  devices_cleared_at      timestamp, -- no device token of before counts
  invited                 boolean     NOT NULL DEFAULT false -- an administrator made the account for its owner
);

-- The few administrators among many users: is there another one? Lists of users go by the primary key, which is ordered
-- by time.
CREATE INDEX IF NOT EXISTS users_admins ON users (id) WHERE role = 'admin';

-- Whoever proves an address ends the wait of others for it. One account alone shows an address that waits.
CREATE INDEX IF NOT EXISTS users_pending ON users (pending_email_canonical)
WHERE pending_email_canonical IS NOT NULL;

CREATE UNIQUE INDEX IF NOT EXISTS users_shown_email_canonical ON users (pending_email_canonical) WHERE pending_shown;

-- used_generation is the newest generation of which an access token was used. Until retry_until a refresh token whose
-- answer was lost gets the same successor again: retried_generation is the last generation for which that happened,
-- retries counts how often, retried_at says when last, and retried_since is the first of such generations in a row.
-- Without retry_until the last rotation was where each token is good once.
CREATE TABLE IF NOT EXISTS sessions (
  id                 blob        PRIMARY KEY,
  number             integer     NOT NULL UNIQUE,
  user_id            blob        NOT NULL REFERENCES users ON DELETE CASCADE,
  generation         bigint      NOT NULL DEFAULT 0,
  used_generation    bigint      NOT NULL DEFAULT 0,
  methods            text        NOT NULL,
  user_agent         text,
  ip                 text,
  dialect            text        NOT NULL,
  created_at         timestamp   NOT NULL,
  authenticated_at   timestamp   NOT NULL,
  rotated_at         timestamp,
  retry_until        timestamp,
  retried_generation bigint      NOT NULL DEFAULT -1,
  retried_since      bigint      NOT NULL DEFAULT -1,
  retries            integer     NOT NULL DEFAULT 0,
  retried_at         timestamp,
  last_used_at       timestamp   NOT NULL,
  expires_at         timestamp   NOT NULL,
  idle_seconds       integer     NOT NULL,
  revoked_at         timestamp,
  revoked_reason     text
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
  revoked_at   timestamp,
  rotated_at   timestamp -- when its secret was made anew or its scopes were changed
);

CREATE INDEX IF NOT EXISTS api_keys_user_id ON api_keys (user_id);

-- Events outlive the accounts that they speak of, so nothing here is a foreign key.
CREATE TABLE IF NOT EXISTS audit_events (
  id         blob        PRIMARY KEY,
  at         timestamp   NOT NULL,
  action     text        NOT NULL CHECK (action <> ''),
  outcome    text        NOT NULL CHECK (outcome IN ('ok', 'failed')),
  reason     text,
  user_id    blob,
  session_id blob,
  key_id     blob,
  methods    text,
  dialect    text        NOT NULL,
  ip         text,
  user_agent text,
  request_id text        NOT NULL,
  actor_id   blob -- who did this to the account of somebody else: an administrator; NULL for the own account
);

-- Refreshes are by far the most events, and the first to be deleted.
CREATE INDEX IF NOT EXISTS audit_events_refreshes ON audit_events (id) WHERE action = 'session.refreshed';

-- Consecutive failures. account_key is the account, or the pseudonym of an account that does not exist. scope names the
-- device that showed its token, the session of a person who was signed in, or the keyed hash of the name that somebody
-- else typed; * is for the failures in every scope.
CREATE TABLE IF NOT EXISTS throttles (
  account_key blob        NOT NULL,
  scope       text        NOT NULL,
  failures    integer     NOT NULL,
  failed_at   timestamp   NOT NULL,
  logged_at   timestamp, -- when an attempt that was refused unseen last left an event
  PRIMARY KEY (account_key, scope)
);

CREATE INDEX IF NOT EXISTS throttles_failed_at ON throttles (failed_at);

CREATE TABLE IF NOT EXISTS signing_keys (
  kid          text        PRIMARY KEY,
  alg          text        NOT NULL,
  state        text        NOT NULL CHECK (state IN ('next', 'active', 'retired')),
  private_key  blob        NOT NULL,
  created_at   timestamp   NOT NULL,
  activated_at timestamp,
  retired_at   timestamp
);

CREATE UNIQUE INDEX IF NOT EXISTS signing_keys_one_active ON signing_keys (state) WHERE state = 'active';

CREATE UNIQUE INDEX IF NOT EXISTS signing_keys_one_next ON signing_keys (state) WHERE state = 'next';

-- When servers first and last made things under a server secret, by the public id of the secret.
CREATE TABLE IF NOT EXISTS server_secrets (
  id            text      PRIMARY KEY,
  first_used_at timestamp NOT NULL,
  last_used_at  timestamp NOT NULL
);

-- Who calls which route of a dialect, by the day (UTC). kind is API_KEY (caller: the first characters of the key),
-- USER_AGENT (caller: the header, block: the network of the address) or OTHER, for the callers beyond the first 200 of
-- a route and day.
CREATE TABLE IF NOT EXISTS dialect_usage (
  day      text      NOT NULL,
  dialect  text      NOT NULL,
  route    text      NOT NULL,
  kind     text      NOT NULL,
  caller   text      NOT NULL,
  block    text      NOT NULL,
  calls    integer   NOT NULL,
  refused  integer   NOT NULL,
  first_at timestamp NOT NULL,
  last_at  timestamp NOT NULL,
  PRIMARY KEY (day, dialect, route, kind, caller, block)
) WITHOUT ROWID;

-- Registrations that wait for a proof of their address. id becomes the id of the account: the device token that the
-- answer of the registration gave names it. Several may wait for one address; the first that is proved makes the
-- account, and the others end. Whether the address is anybody's already does not matter here, so that nobody learns it.
CREATE TABLE IF NOT EXISTS registrations (
  id                  blob        PRIMARY KEY,
  address             text        NOT NULL,
  address_canonical   text        NOT NULL,
  username            text, -- taken when the account is made
  username_canonical  text,
  name                text,
  metadata            text,
  password_hash       text, -- NULL where none was chosen
  locale              text,
  dialect             text        NOT NULL,
  send_welcome        boolean     NOT NULL, -- the mails that follow when the account is made
  send_password_setup boolean     NOT NULL,
  created_at          timestamp NOT NULL,
  expires_at          timestamp NOT NULL -- with the newest token that was mailed for it
);

CREATE INDEX IF NOT EXISTS registrations_address ON registrations (address_canonical);
CREATE INDEX IF NOT EXISTS registrations_expires_at ON registrations (expires_at);

-- What a mail lets somebody do once. Neither the token nor the code is here: both are made from the id. The token
-- confirms or reverts to address, and no other. user_id is NULL while a registration waits for the token.
CREATE TABLE IF NOT EXISTS one_time_tokens (
  id                blob        PRIMARY KEY,
  purpose           text        NOT NULL,
  user_id           blob        REFERENCES users ON DELETE CASCADE,
  registration_id   blob,
  address           text        NOT NULL,
  address_canonical text        NOT NULL,
  mail_id           blob        NOT NULL, -- of mails of a kind the newest counts, in whatever order they are sent
  return_to         text        NOT NULL DEFAULT '', -- where a sign-in by the token goes on
  created_at        timestamp NOT NULL,
  expires_at        timestamp NOT NULL,
  invalidated_at    timestamp, -- when it was redeemed, or superseded
  redeemed          boolean     NOT NULL DEFAULT false
);

CREATE INDEX IF NOT EXISTS one_time_tokens_user_id ON one_time_tokens (user_id, purpose);

-- By the address that somebody types a code beside.
CREATE INDEX IF NOT EXISTS one_time_tokens_address ON one_time_tokens (address_canonical, purpose);

CREATE INDEX IF NOT EXISTS one_time_tokens_expires_at ON one_time_tokens (expires_at);

-- Wrong codes within an hour, by a keyed hash of the address that they were typed beside and of what they were for: no
-- account and no token, so that neither deleting an account nor asking for another code gives further tries.
CREATE TABLE IF NOT EXISTS code_tries (
  address  blob PRIMARY KEY,
  tries    integer NOT NULL,
  first_at timestamp NOT NULL
);

CREATE INDEX IF NOT EXISTS code_tries_first_at ON code_tries (first_at);

-- The mails, from the change that they are about until some time after they were sent. The words are made when a mail
-- is sent or shown. user_id is NULL until the mail is resolved: nobody knows yet whose address it is, or whether
-- anybody has it.
CREATE TABLE IF NOT EXISTS mails (
  id                blob        PRIMARY KEY,
  kind              text        NOT NULL,
  user_id           blob        REFERENCES users ON DELETE CASCADE,
  registration_id   blob, -- of a mail about a registration, which has no account yet
  address           text        NOT NULL,
  address_canonical text        NOT NULL,
  token_id          blob,
  locale            text        NOT NULL,
  dialect           text        NOT NULL,
  link              text        NOT NULL,
  ttl_seconds       integer     NOT NULL,
  data              text        NOT NULL,
  state             text        NOT NULL CHECK (state IN ('QUEUED', 'SENT', 'FAILED')),
  attempts          integer     NOT NULL DEFAULT 0,
  last_error        text,
  next_attempt_at   timestamp, -- after one that failed, or while a notice is held for a digest
  created_at        timestamp NOT NULL,
  resolved_at       timestamp,
  sent_at           timestamp
);

CREATE INDEX IF NOT EXISTS mails_user_id ON mails (user_id);
CREATE INDEX IF NOT EXISTS mails_registrations ON mails (address_canonical) WHERE registration_id IS NOT NULL;

-- Sent mails are swept after a week.
CREATE INDEX IF NOT EXISTS mails_sent_at ON mails (sent_at) WHERE sent_at IS NOT NULL;

-- How many mails went to a mailbox within a day, by a keyed hash of it: no account, so that deleting one refills
-- nothing. mails has the time in microseconds and the kind of each. over_budget is whether the last one was over the
-- budget, noted_at when one of those last left an event, and unnoted how many there were since, that one included.
CREATE TABLE IF NOT EXISTS mail_budgets (
  mailbox     blob        PRIMARY KEY,
  mails       text        NOT NULL,
  counted_at  timestamp   NOT NULL,
  over_budget boolean     NOT NULL DEFAULT false,
  unnoted     integer     NOT NULL DEFAULT 0,
  noted_at    timestamp
);

CREATE INDEX IF NOT EXISTS mail_budgets_counted_at ON mail_budgets (counted_at);

-- The devices that an account was signed in from. device is a keyed hash of what it calls itself and of its address
-- block. session_id is the first session that began there.
CREATE TABLE IF NOT EXISTS known_devices (
  user_id    blob      NOT NULL REFERENCES users ON DELETE CASCADE,
  device     blob      NOT NULL,
  session_id blob      NOT NULL,
  seen_at    timestamp NOT NULL,
  PRIMARY KEY (user_id, device)
);

CREATE INDEX IF NOT EXISTS known_devices_seen_at ON known_devices (seen_at);
