-- The events that name a job, by job: what a job came to is computed from all of its own events, in whatever order they
-- arrived, so that a late one, a replay or a correction needs nothing but its row. Read with FINAL and sign = 1.
CREATE TABLE job_events
(
    organization String,
    job String,
    time DateTime64(3, 'UTC'),
    id String,
    type LowCardinality(String),
    received_at DateTime64(3, 'UTC'),
    partner LowCardinality(String),
    reseller LowCardinality(String),
    agent String,
    user String,
    session String,
    room String,
    value Nullable(Decimal(38, 9)),
    dims LowCardinality(String),
    batch UInt64,
    sign Int8
)
ENGINE = ReplacingMergeTree(batch)
PARTITION BY toYear(time)
ORDER BY (organization, job, time, id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 1024;

CREATE MATERIALIZED VIEW job_events_mv TO job_events AS
SELECT organization, job, time, id, type, received_at, partner, reseller, agent, user, session, room, value, dims, batch, sign
FROM usage_events
WHERE job != '';
