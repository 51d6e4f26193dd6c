-- Since when an account may be another person's than the one who made it: an export of their data begins there.
ALTER TABLE users ADD COLUMN IF NOT EXISTS taken_over_at timestamptz;
