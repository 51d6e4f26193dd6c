-- The newest events of a person, for an export of their data. Nothing else reads events by whom they are about.
CREATE INDEX IF NOT EXISTS audit_events_user_id ON audit_events (user_id, id) WHERE user_id IS NOT NULL;
