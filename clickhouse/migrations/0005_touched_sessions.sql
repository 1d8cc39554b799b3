-- Which sessions a batch touched, so that exactly those are derived again. A row without a session names the interval
-- instead. Jobs that want a session derived (a timeout passed, a rebuild) insert rows here under a batch id of their own.
-- Repeats are harmless; rows are of no use once their batch is settled.
CREATE TABLE touched_sessions
(
    batch UInt64,
    organization String,
    session String,
    level LowCardinality(String),
    interval String,
    inserted_at DateTime('UTC') DEFAULT now('UTC')
)
ENGINE = MergeTree
ORDER BY (batch, organization, session)
TTL inserted_at + INTERVAL 2 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 1024, ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW touched_sessions_mv TO touched_sessions AS
SELECT DISTINCT
    batch,
    organization,
    session,
    if(session = '', level, '') AS level,
    if(session = '', usage_events.interval, '') AS interval
FROM usage_events
WHERE usage_events.level != '';
