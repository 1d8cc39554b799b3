-- Hours with rows that may now be folded. Params: before_ms Int64 (hours that end by then), settled UInt64 (batches up to it
-- are never sent again); most UInt32. Returns hour_ms, part_rows; the oldest first.
SELECT toInt64(toUnixTimestamp(toStartOfHour(minute))) * 1000 AS hour_ms, count() AS part_rows
FROM ingest_outcomes_per_minute FINAL
WHERE batch > 0 AND batch <= {settled:UInt64} AND minute < toDateTime(intDiv({before_ms:Int64}, 3600000) * 3600, 'UTC')
GROUP BY hour_ms
ORDER BY hour_ms
LIMIT {most:UInt32}
