-- Counters of the nodes above one organization, on one UTC day, that differ from the sums of the organizations' counters;
-- in a healthy store there are none. Batches after `settled` are left out on both sides.
-- Params: organization String, day String, settled UInt64; most UInt32. Returns one row per drifted key.
WITH node_keys AS
(
    SELECT DISTINCT arrayJoin([('reseller', toString(reseller)), ('partner', toString(partner)), ('all', '')]) AS node_key
    FROM usage_events
    WHERE organization = {organization:String} AND toDate(time, 'UTC') = toDate({day:String})
    UNION DISTINCT
    SELECT DISTINCT arrayJoin([('reseller', toString(reseller)), ('partner', toString(partner)), ('all', '')])
    FROM usage_per_15m
    WHERE organization = {organization:String} AND toDate(bucket, 'UTC') = toDate({day:String})
)
SELECT node_key.1 AS kind, node_key.2 AS node, type, toInt64(toUnixTimestamp(bucket)) * 1000 AS bucket_ms, dims,
    sum(summed_events) AS expected_events, toString(sum(summed_amount)) AS expected_amount,
    sum(kept_events) AS found_events, toString(sum(kept_amount)) AS found_amount
FROM
(
    SELECT arrayJoin([('reseller', toString(reseller)), ('partner', toString(partner)), ('all', '')]) AS node_key,
        type, bucket, dims, events AS summed_events, amount AS summed_amount, toInt64(0) AS kept_events, toDecimal256(0, 9) AS kept_amount
    FROM usage_per_15m FINAL
    WHERE toDate(bucket, 'UTC') = toDate({day:String}) AND batch <= {settled:UInt64}
    UNION ALL
    SELECT (toString(kind), node), type, bucket, dims, toInt64(0), toDecimal256(0, 9), events, amount
    FROM node_usage_per_15m FINAL
    WHERE toDate(bucket, 'UTC') = toDate({day:String}) AND batch <= {settled:UInt64}
)
WHERE node_key IN node_keys AND (node_key.1 = 'all' OR node_key.2 != '')
GROUP BY node_key, type, bucket, dims
HAVING expected_events != found_events OR sum(summed_amount) != sum(kept_amount)
ORDER BY kind, node, bucket_ms, type
LIMIT {most:UInt32}
