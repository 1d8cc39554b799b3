-- Rewrites the counters of some organizations and one UTC day from their events: the right sums as rows of batch 0, and the
-- deletion of every other row, in one block. Also of rows that a batch should have written and did not: sending it again
-- must not add them to the sums, which have its events already.
-- Params: organizations Array(String), day String, version UInt64 (greater than any before).
INSERT INTO usage_per_15m (organization, type, bucket, partner, reseller, agent, dims, batch, events, amount, version, is_deleted)
SELECT organization, type, bucket, partner, reseller, agent, dims, batch, sum(new_events) AS right_events, sum(new_amount), {version:UInt64}, right_events = 0
FROM
(
    SELECT organization, type, toStartOfFifteenMinutes(toDateTime(time, 'UTC')) AS bucket, partner, reseller, agent, dims, toUInt64(0) AS batch,
        toInt64(count()) AS new_events, sum(toDecimal256(ifNull(value, toDecimal128(0, 9)), 9)) AS new_amount
    FROM usage_events FINAL
    WHERE sign = 1 AND organization IN {organizations:Array(String)} AND toDate(time, 'UTC') = toDate({day:String})
    GROUP BY organization, type, bucket, partner, reseller, agent, dims
    UNION ALL
    SELECT organization, type, bucket, partner, reseller, agent, dims, batch, toInt64(0), toDecimal256(0, 9)
    FROM usage_per_15m FINAL
    WHERE organization IN {organizations:Array(String)} AND toDate(bucket, 'UTC') = toDate({day:String})
    UNION ALL
    SELECT organization, type, toStartOfFifteenMinutes(toDateTime(time, 'UTC')) AS bucket, partner, reseller, agent, dims, batch, toInt64(0), toDecimal256(0, 9)
    FROM usage_events
    WHERE organization IN {organizations:Array(String)} AND toDate(time, 'UTC') = toDate({day:String})
)
GROUP BY organization, type, bucket, partner, reseller, agent, dims, batch
