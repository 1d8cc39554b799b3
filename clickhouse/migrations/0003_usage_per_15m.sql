-- Counts and exact decimal sums per 15 minutes (every zone's offset is a multiple of 15 minutes), by type, so that a
-- meter made later finds its past here. Not by user: that would be a row for nearly every event, and a third of what an INSERT
-- costs; who asks about users reads the events.
--
-- The batch is part of the sorting key: an INSERT is not atomic over its views, and a batch that is sent again after a
-- crash must rewrite the same rows. Rows of settled batches are folded into one row of batch 0 by the job
-- usage-compact, which writes the sum and the deletion of its parts in one block. So: always read with FINAL.
CREATE TABLE usage_per_15m
(
    organization String,
    type LowCardinality(String),
    bucket DateTime('UTC'),
    partner LowCardinality(String),
    reseller LowCardinality(String),
    agent String,
    dims LowCardinality(String),
    batch UInt64,
    events Int64,
    amount Decimal(38, 9),
    version UInt64,
    is_deleted UInt8
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYear(bucket)
ORDER BY (organization, type, bucket, partner, reseller, agent, dims, batch)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, allow_experimental_replacing_merge_with_cleanup = 1;

CREATE MATERIALIZED VIEW usage_per_15m_mv TO usage_per_15m AS
SELECT
    organization,
    type,
    toStartOfFifteenMinutes(toDateTime(time, 'UTC')) AS bucket,
    partner,
    reseller,
    agent,
    dims,
    batch,
    sum(toInt64(sign)) AS events,
    sum(ifNull(value, toDecimal128(0, 9)) * sign) AS amount,
    toUInt64(1) AS version,
    toUInt8(0) AS is_deleted
FROM usage_events
GROUP BY organization, type, bucket, partner, reseller, agent, dims, batch;
