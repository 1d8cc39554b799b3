-- The counters of usage_per_15m for the nodes above organizations, without agents: what a question about all that a node did
-- reads, which then costs the same for a reseller of a thousand organizations as for one organization.
--
-- Its view sees what the view of usage_per_15m writes there (version 1), and not what compacting or repairing does, which
-- treat this table on their own. It keeps the rules of usage_per_15m: the batch is part of the sorting key, usage-compact
-- folds settled batches into batch 0, and reading takes FINAL.
CREATE TABLE node_usage_per_15m
(
    kind LowCardinality(String),          -- reseller, partner, all
    node String,
    type LowCardinality(String),
    bucket DateTime('UTC'),
    dims LowCardinality(String),
    batch UInt64,
    events Int64,
    amount Decimal(38, 9),
    version UInt64,
    is_deleted UInt8
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYear(bucket)
ORDER BY (kind, node, type, bucket, dims, batch)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, allow_experimental_replacing_merge_with_cleanup = 1;

CREATE MATERIALIZED VIEW node_usage_per_15m_mv TO node_usage_per_15m AS
SELECT
    place.1 AS kind,
    place.2 AS node,
    type,
    bucket,
    dims,
    batch,
    sum(part_events) AS events,
    sum(part_amount) AS amount,
    toUInt64(1) AS version,
    toUInt8(0) AS is_deleted
FROM
(
    SELECT
        arrayJoin([('reseller', toString(reseller)), ('partner', toString(partner)), ('all', '')]) AS place,
        type, bucket, dims, batch, usage_per_15m.events AS part_events, usage_per_15m.amount AS part_amount
    FROM usage_per_15m
    WHERE version = 1
)
WHERE place.1 = 'all' OR place.2 != ''
GROUP BY kind, node, type, bucket, dims, batch;
