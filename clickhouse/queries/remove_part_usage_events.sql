-- The events that a part of a batch left before ClickHouse refused it: last, since the identities are found by them.
-- Params: batch UInt64.
DELETE FROM usage_events
WHERE batch = {batch:UInt64}
SETTINGS lightweight_deletes_sync = 2
