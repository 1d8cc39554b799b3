-- Every accepted event, once. The truth that each later table can be rebuilt from. Read with FINAL and sign = 1.
--
-- ReplacingMergeTree by (organization, time, id): a batch that is sent again writes the same keys, so replaying it is
-- harmless. A correction writes, under a later batch, the row again with sign -1, which stands for it from then on, and
-- where the event was amended its new row under a batch after that: of one key the latest batch wins. The views that sum
-- take the sign into account; what the event was before is kept with the correction (Postgres, event_corrections). The partition follows from the key, so the copies of one event always meet in one partition.
-- Years and not months: a batch of late events may span 2000 to now, and one part per partition is written.
CREATE TABLE usage_events
(
    organization String,
    id String,
    body_hash UInt64,
    time DateTime64(3, 'UTC'),
    received_at DateTime64(3, 'UTC'),
    type LowCardinality(String),
    partner LowCardinality(String),
    reseller LowCardinality(String),
    agent String,
    user String,
    session String,
    room String,
    interval String,
    job String,
    started_ms Int64,                     -- `started_at` in ms since 1970; 0: not given
    value Nullable(Decimal(38, 9)),
    properties String CODEC(ZSTD(1)),
    dims LowCardinality(String),          -- canonical JSON of the type's declared dimensions
    level LowCardinality(String),         -- '' for events that open, keep or close no interval
    level_action LowCardinality(String),
    alive_within_ms Int64,                -- 0: the level's default
    key LowCardinality(String),
    batch UInt64,
    sign Int8,                            -- 1; -1: this event counts no more
    INDEX batch_range batch TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(batch)
PARTITION BY toYear(time)
ORDER BY (organization, time, id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;
