-- How long events took until queries saw them, over the samples of a range. Params: from_ms, to_ms Int64 (to_ms exclusive).
-- Returns p50_ms, p99_ms, events: one row; p50_ms and p99_ms mean nothing where events is 0.
SELECT
    quantileExactWeighted(0.5)(lag, weight) AS p50_ms,
    quantileExactWeighted(0.99)(lag, weight) AS p99_ms,
    sum(weight) AS events
FROM freshness_samples
ARRAY JOIN lag_ms AS lag, weights AS weight
WHERE at >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND at < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
