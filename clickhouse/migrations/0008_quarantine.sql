-- Events that were not taken, with the reason and their bytes, so that they can be listed, fixed and replayed.
-- Keyed by the place in the write-ahead log that holds them: a replay after a crash writes the same rows. What came of
-- sending one again is its row once more under a later version.
CREATE TABLE quarantine
(
    batch UInt64,
    row UInt32,
    received_at DateTime64(3, 'UTC'),
    organization String,
    id String,
    code LowCardinality(String),
    field String,
    message String,
    key LowCardinality(String),
    raw String CODEC(ZSTD(1)),
    outcome LowCardinality(String),           -- of the last time it was sent again: accepted, duplicate, rejected; '': never
    outcome_code LowCardinality(String),
    outcome_field String,
    outcome_message String,
    outcome_at DateTime64(3, 'UTC'),
    version UInt64                            -- 0: as it came from the log
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(received_at)
ORDER BY (received_at, batch, row)
TTL toDateTime(received_at, 'UTC') + INTERVAL 90 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
