ALTER TABLE signing_keys ADD COLUMN IF NOT EXISTS activated_at timestamptz;
ALTER TABLE signing_keys ADD COLUMN IF NOT EXISTS retired_at timestamptz;
UPDATE signing_keys SET activated_at = created_at WHERE state = 'active' AND activated_at IS NULL;
CREATE UNIQUE INDEX IF NOT EXISTS signing_keys_one_next ON signing_keys (state) WHERE state = 'next';

-- When servers first and last made things under a server secret, by the public id of the secret.
CREATE TABLE IF NOT EXISTS server_secrets (
  id            text        PRIMARY KEY,
  first_used_at timestamptz NOT NULL,
  last_used_at  timestamptz NOT NULL
);
