ALTER TABLE signing_keys ADD COLUMN activated_at timestamp;

ALTER TABLE signing_keys ADD COLUMN retired_at timestamp;

UPDATE signing_keys SET activated_at = created_at WHERE state = 'active';

CREATE UNIQUE INDEX IF NOT EXISTS signing_keys_one_next ON signing_keys (state) WHERE state = 'next';

-- When servers first and last made things under a server secret, by the public id of the secret.
CREATE TABLE IF NOT EXISTS server_secrets (
  id            text      PRIMARY KEY,
  first_used_at timestamp NOT NULL,
  last_used_at  timestamp NOT NULL
);
