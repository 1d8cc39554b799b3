-- What became of the events that keys sent, per minute of receipt: accepted, duplicate or rejected, exactly one of them
-- for each event, and of the accepted ones which were late or of a type that no meter knew.
--
-- The counts come with the records of the write-ahead log and carry their batch in the sorting key: a batch that is sent
-- again after a crash rewrites the same rows. Minutes that are over are folded into one row of batch 0 by the job
-- ingest-outcomes-compact. So: always read with FINAL. organization is '' for events that named no organization the key
-- may see; they stand at the key's own node.
CREATE TABLE ingest_outcomes_per_minute
(
    minute DateTime('UTC'),
    partner LowCardinality(String),
    reseller LowCardinality(String),
    organization String,
    agent String,                         -- of an agent's key; '' for other keys
    key LowCardinality(String),
    outcome LowCardinality(String),
    reason LowCardinality(String),        -- a rejection's code, or how late at least
    batch UInt64,
    events UInt64,
    version UInt64,
    is_deleted UInt8
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, partner, reseller, organization, agent, key, outcome, reason, batch)
TTL minute + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, allow_experimental_replacing_merge_with_cleanup = 1;
