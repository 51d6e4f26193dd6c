-- The kinds of password hashes that were imported from other systems, so that unknown names imitate them. sample is a
-- hash of the kind that no password has.
CREATE TABLE IF NOT EXISTS foreign_hashes (
  kind     text   PRIMARY KEY,
  sample   text   NOT NULL,
  imported integer NOT NULL
);

-- How many accounts have a hash that is not as ours are made today, and how many have none.
CREATE INDEX IF NOT EXISTS users_foreign_hash ON users (id)
WHERE substr(password_hash, 1, 31) <> '$argon2id$v=19$m=19456,t=2,p=1$';
CREATE INDEX IF NOT EXISTS users_no_password ON users (id) WHERE password_hash IS NULL;
