-- What the person wrote to be reached in, and an address that waits to be confirmed. From password_disabled_at on the
-- password is not taken any more, right or wrong, until another one is chosen by mail.
ALTER TABLE users ADD COLUMN locale text;
ALTER TABLE users ADD COLUMN pending_email text;
ALTER TABLE users ADD COLUMN pending_email_canonical text;
ALTER TABLE users ADD COLUMN password_disabled_at timestamp;

-- What a mail lets somebody do once. Neither the token nor the code is here: both are made from the id. address is the
-- address that the token speaks of.
CREATE TABLE IF NOT EXISTS one_time_tokens (
  id                blob        PRIMARY KEY,
  purpose           text        NOT NULL,
  user_id           blob        NOT NULL REFERENCES users ON DELETE CASCADE,
  address           text        NOT NULL,
  address_canonical text        NOT NULL,
  confirmed         boolean     NOT NULL DEFAULT false, -- whether the address was, before it was changed
  attempts          integer     NOT NULL DEFAULT 0, -- of the code
  created_at        timestamp NOT NULL,
  expires_at        timestamp NOT NULL,
  spent_at          timestamp, -- redeemed, or made worthless
  redeemed          boolean     NOT NULL DEFAULT false
);

CREATE INDEX IF NOT EXISTS one_time_tokens_user_id ON one_time_tokens (user_id, purpose);

-- By the address that somebody types a code beside.
CREATE INDEX IF NOT EXISTS one_time_tokens_address ON one_time_tokens (address_canonical, purpose);

CREATE INDEX IF NOT EXISTS one_time_tokens_expires_at ON one_time_tokens (expires_at);

-- The mails, from the change that they are about until some time after they were sent. The words are made when one is sent
-- or looked at. Without user_id it is not known yet whose the address is, or whether it is anybody's.
CREATE TABLE IF NOT EXISTS mails (
  id                blob        PRIMARY KEY,
  kind              text        NOT NULL,
  user_id           blob        REFERENCES users ON DELETE CASCADE,
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
  next_attempt_at   timestamp, -- after one that failed
  created_at        timestamp NOT NULL,
  resolved_at       timestamp,
  sent_at           timestamp
);

CREATE INDEX IF NOT EXISTS mails_user_id ON mails (user_id);

-- Those that were sent are swept after a week.
CREATE INDEX IF NOT EXISTS mails_sent_at ON mails (sent_at) WHERE sent_at IS NOT NULL;

-- The devices that an account was signed in from. device is a keyed hash of what it calls itself and of its address block; session_id
-- is the session that began there first.
CREATE TABLE IF NOT EXISTS known_devices (
  user_id    blob      NOT NULL REFERENCES users ON DELETE CASCADE,
  device     blob      NOT NULL,
  session_id blob      NOT NULL,
  seen_at    timestamp NOT NULL,
  PRIMARY KEY (user_id, device)
);

CREATE INDEX IF NOT EXISTS known_devices_seen_at ON known_devices (seen_at);
