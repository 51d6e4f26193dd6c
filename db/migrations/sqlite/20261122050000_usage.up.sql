-- Who calls which route of a dialect, by the day (UTC). kind is API_KEY (caller: the first characters of the key), USER_AGENT
-- (caller: the header, block: the network of the address) or OTHER, for the callers beyond the first 200 of a route and day.
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
