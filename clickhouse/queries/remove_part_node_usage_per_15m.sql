-- What a part of a batch counted for nodes before ClickHouse refused it: its halves count it again.
-- Params: batch UInt64.
DELETE FROM node_usage_per_15m
WHERE batch = {batch:UInt64}
SETTINGS lightweight_deletes_sync = 2
