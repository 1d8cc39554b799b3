-- Identity is (organization, id): who asks "was this id taken before, and with which body" reads here.
-- Rows live 2 days longer than the promise of 35 days by id alone; older events are looked up in usage_events by
-- (organization, time, id), which is why a retry of any age with the same time is known.
-- Small granules: the readers are point look-ups of random ids.
CREATE TABLE event_ids
(
    organization String,
    id String,
    time DateTime64(3, 'UTC'),
    body_hash UInt64,
    received_at DateTime('UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (organization, id)
TTL received_at + INTERVAL 37 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 256;

CREATE MATERIALIZED VIEW event_ids_mv TO event_ids AS
SELECT organization, id, time, body_hash, toDateTime(received_at, 'UTC') AS received_at
FROM usage_events;
