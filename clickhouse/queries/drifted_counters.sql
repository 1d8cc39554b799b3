-- Counters of one organization and UTC day that differ from the events they count; in a healthy store there are none.
-- Batches after `settled` are left out on both sides. Amounts are compared as exact decimals.
-- Params: organization String, day String, settled UInt64; most UInt32. Returns one row per drifted key.
SELECT type, toInt64(toUnixTimestamp(bucket)) * 1000 AS bucket_ms, partner, reseller, agent, dims,
    sum(raw_events) AS expected_events, toString(sum(raw_amount)) AS expected_amount,
    sum(rolled_events) AS found_events, toString(sum(rolled_amount)) AS found_amount
FROM
(
    SELECT type, toStartOfFifteenMinutes(toDateTime(time, 'UTC')) AS bucket, partner, reseller, agent, dims,
        toInt64(1) AS raw_events, toDecimal256(ifNull(value, toDecimal128(0, 9)), 9) AS raw_amount, toInt64(0) AS rolled_events, toDecimal256(0, 9) AS rolled_amount
    FROM usage_events FINAL
    WHERE sign = 1 AND organization = {organization:String} AND toDate(time, 'UTC') = toDate({day:String}) AND batch <= {settled:UInt64}
    UNION ALL
    SELECT type, bucket, partner, reseller, agent, dims, toInt64(0), toDecimal256(0, 9), events, amount
    FROM usage_per_15m FINAL
    WHERE organization = {organization:String} AND toDate(bucket, 'UTC') = toDate({day:String}) AND batch <= {settled:UInt64}
)
GROUP BY type, bucket, partner, reseller, agent, dims
HAVING expected_events != found_events OR sum(raw_amount) != sum(rolled_amount)
ORDER BY bucket_ms, type
LIMIT {most:UInt32}
