-- Folds the counters of some closed hours: per key one row of batch 0 with the sum, and the deletion of the rows it was
-- summed from. Both are written as one block into one partition, which ClickHouse stores whole or not at all, so a reader
-- with FINAL sees either the parts or the sum. Doing it again finds nothing to fold.
-- Params: hours Array(Int64) (ms, all of one year), settled UInt64, version UInt64 (greater than any before).
INSERT INTO usage_per_15m (organization, type, bucket, partner, reseller, agent, dims, batch, events, amount, version, is_deleted)
WITH
    arrayMap(ms -> toDateTime(intDiv(ms, 1000), 'UTC'), {hours:Array(Int64)}) AS hour_starts
SELECT organization, type, bucket, partner, reseller, agent, dims, toUInt64(0), sum(events), sum(amount), {version:UInt64}, toUInt8(0)
FROM usage_per_15m FINAL
WHERE toStartOfHour(bucket) IN (SELECT arrayJoin(hour_starts)) AND batch <= {settled:UInt64}
GROUP BY organization, type, bucket, partner, reseller, agent, dims
HAVING max(batch) > 0
UNION ALL
SELECT organization, type, bucket, partner, reseller, agent, dims, batch, toInt64(0), toDecimal256(0, 9), {version:UInt64}, toUInt8(1)
FROM usage_per_15m FINAL
WHERE toStartOfHour(bucket) IN (SELECT arrayJoin(hour_starts)) AND batch > 0 AND batch <= {settled:UInt64}
