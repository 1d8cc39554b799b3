-- The identities of a part of a batch that ClickHouse refused halfway, before its halves are stored in its place.
-- Params: batch UInt64.
DELETE FROM event_ids
WHERE (organization, id) IN (SELECT organization, id FROM usage_events WHERE batch = {batch:UInt64})
SETTINGS lightweight_deletes_sync = 2
