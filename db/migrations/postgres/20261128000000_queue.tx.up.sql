-- The tables of the queue as version 8 of River's own migrations leaves them: a table of notifications (which nothing here
-- writes), and none for clients.
CREATE TABLE IF NOT EXISTS river_notification (
  id         bigserial   PRIMARY KEY,
  created_at timestamptz NOT NULL DEFAULT now(),
  payload    text        NOT NULL,
  topic      text        NOT NULL,
  CONSTRAINT topic_length CHECK (length(topic) > 0 AND length(topic) < 128)
);

CREATE INDEX IF NOT EXISTS river_notification_created_at_idx ON river_notification (created_at);

CREATE INDEX IF NOT EXISTS river_notification_topic_id_idx ON river_notification (topic, id);

DROP TABLE IF EXISTS river_client_queue;

DROP TABLE IF EXISTS river_client;

ALTER TABLE river_job ALTER COLUMN max_attempts SET DEFAULT 25;

ALTER TABLE river_queue ALTER COLUMN updated_at SET DEFAULT CURRENT_TIMESTAMP;

INSERT INTO river_migration (line, version) VALUES ('main', 7), ('main', 8) ON CONFLICT DO NOTHING;
