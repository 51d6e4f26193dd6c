-- Who did something to the account of somebody else: an administrator. NULL for what people do with their own account.
ALTER TABLE audit_events ADD COLUMN IF NOT EXISTS actor_id uuid;

-- The few administrators among many users: is there another one? Lists of users go by the primary key, which is ordered by time.
CREATE INDEX IF NOT EXISTS users_admins ON users (id) WHERE role = 'admin';
