-- How long events took from receipt until queries saw them, gathered for some seconds at a time: lag_ms[i] was measured
-- for weights[i] events. A statistic of the service, not of usage: what a crash loses of it is not made up for.
CREATE TABLE freshness_samples
(
    at DateTime64(3, 'UTC'),
    lag_ms Array(UInt32),
    weights Array(UInt32)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY at
TTL toDateTime(at, 'UTC') + INTERVAL 90 DAY;
