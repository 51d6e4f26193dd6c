-- A number belongs to the account that proved it last. One that nobody proved proves nothing, and blocks nobody.
ALTER TABLE users ADD COLUMN phone_verified_at timestamp;

CREATE UNIQUE INDEX users_phone_verified ON users (phone) WHERE phone_verified_at IS NOT NULL;

ALTER TABLE registrations ADD COLUMN phone text; -- that the account gets, unproved

-- The messages to phones, from the request until some time after they were sent. Each brings one code, made from its id:
-- neither the code nor the words are here. user_id is NULL until a message to sign in is resolved: nobody knows
-- yet whose number it is, or whether anybody has it.
CREATE TABLE sms (
  id              blob      PRIMARY KEY,
  purpose         text      NOT NULL CHECK (purpose IN ('VERIFY_PHONE', 'LOGIN')),
  user_id         blob      REFERENCES users ON DELETE CASCADE,
  phone           text      NOT NULL,
  country         text      NOT NULL, -- by the calling code
  network         blob      NOT NULL, -- a keyed hash of where it was asked for
  locale          text      NOT NULL,
  dialect         text      NOT NULL,
  state           text      NOT NULL CHECK (state IN ('QUEUED', 'SENT', 'FAILED')),
  attempts        integer   NOT NULL DEFAULT 0,
  last_error      text,
  next_attempt_at timestamp,
  created_at      timestamp NOT NULL,
  resolved_at     timestamp,
  sent_at         timestamp,
  expires_at      timestamp NOT NULL, -- of the code
  redeemed_at     timestamp
);

CREATE INDEX sms_user_id ON sms (user_id);
CREATE INDEX sms_phone ON sms (phone, purpose);

-- What was sent within a day, by keyed hashes of the number and of the network that asked: no account, so that deleting
-- one refills nothing. limited names the limit that a message was over: at most one an hour of the same is kept, and
-- none of them counts.
CREATE TABLE sms_sends (
  id      blob      PRIMARY KEY,
  at      timestamp NOT NULL,
  number  blob      NOT NULL,
  network blob      NOT NULL,
  country text      NOT NULL,
  limited text      NOT NULL DEFAULT ''
);

CREATE INDEX sms_sends_at ON sms_sends (at);

-- Wrong codes of six digits within a rolling year, which no success resets. subject is an account (its id) or a phone
-- number (a keyed hash); week is its first day.
CREATE TABLE wrong_codes (
  subject blob    NOT NULL,
  week    text    NOT NULL,
  wrong   integer NOT NULL,
  PRIMARY KEY (subject, week)
) WITHOUT ROWID;

CREATE INDEX wrong_codes_week ON wrong_codes (week);
