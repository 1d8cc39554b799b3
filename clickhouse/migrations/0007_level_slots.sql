-- The edges of sessions by minute, so that a minute's slot can be computed for any node without reading every session.
-- A session whose edges left a minute has a row without edges there.
CREATE TABLE level_edges
(
    minute DateTime('UTC'),
    organization String,
    session String,
    level LowCardinality(String),
    partner LowCardinality(String),
    reseller LowCardinality(String),
    version UInt64,
    edge_ms Array(Int64),
    edge_delta Array(Int64),
    edge_starts Array(Int64),
    INDEX version_range version TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYear(minute)
ORDER BY (minute, organization, session, level)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 1024;

-- A level of a node in one minute, as changes against the level at which the minute opens; minutes without edges have
-- no row. With O the sum of all earlier `net`: integral = O*60000 + net*60000 - weighted, in ms; peak = O + `peak`.
-- Computed from the union of the subtree's edges, never from children's slots.
CREATE TABLE level_slots
(
    kind LowCardinality(String),          -- organization, reseller, partner, all
    node String,
    level LowCardinality(String),
    minute DateTime('UTC'),
    version UInt64,
    net Int64,                            -- sum of deltas
    weighted Int64,                       -- sum of delta * (time - minute), ms
    peak Int64,                           -- highest level at an instant of the minute, against O; negative when ends fall on its first instant
    peak_at_ms Int64,                     -- the first instant of it
    starts Int64                          -- intervals (for `sessions`: sessions) that start in the minute
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYear(minute)
ORDER BY (kind, node, level, minute)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
