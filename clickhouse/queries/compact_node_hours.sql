-- As compact_hours.sql, of the counters of nodes.
-- Params: hours Array(Int64) (ms, all of one year), settled UInt64, version UInt64 (greater than any before).
INSERT INTO node_usage_per_15m (kind, node, type, bucket, dims, batch, events, amount, version, is_deleted)
WITH
    arrayMap(ms -> toDateTime(intDiv(ms, 1000), 'UTC'), {hours:Array(Int64)}) AS hour_starts
SELECT kind, node, type, bucket, dims, toUInt64(0), sum(events), sum(amount), {version:UInt64}, toUInt8(0)
FROM node_usage_per_15m FINAL
WHERE toStartOfHour(bucket) IN (SELECT arrayJoin(hour_starts)) AND batch <= {settled:UInt64}
GROUP BY kind, node, type, bucket, dims
HAVING max(batch) > 0
UNION ALL
SELECT kind, node, type, bucket, dims, batch, toInt64(0), toDecimal256(0, 9), {version:UInt64}, toUInt8(1)
FROM node_usage_per_15m FINAL
WHERE toStartOfHour(bucket) IN (SELECT arrayJoin(hour_starts)) AND batch > 0 AND batch <= {settled:UInt64}
