-- Counts and exact sums of events per window of all that a node above organizations did: whole quarters of an hour from the node's own rollup,
-- what from, to or a finer window cuts from the events themselves. The same figures as usage_windows.sql, unsplit.
-- Params: kind (reseller, partner or all), node String; types Array(String); from_ms, to_ms, bounds, whole_from_ms, whole_to_ms as in usage_windows.sql.
-- Returns window_ms, events, amount (decimal string).
WITH
    -- An edge that is empty is folded away, so that no event is looked for.
    least({whole_from_ms:Int64}, {to_ms:Int64}) AS before_ms,
    greatest({whole_to_ms:Int64}, {from_ms:Int64}) AS after_ms
SELECT
    greatest(roundDown(at_ms, {bounds:Array(Int64)}), {from_ms:Int64}) AS window_ms,
    sum(part_events) AS events,
    toString(sum(part_amount)) AS amount
FROM
(
    SELECT toInt64(toUnixTimestamp(bucket)) * 1000 AS at_ms, sum(events) AS part_events, sum(amount) AS part_amount
    FROM node_usage_per_15m FINAL
    WHERE kind = {kind:String} AND node = {node:String} AND type IN {types:Array(String)}
        AND bucket >= toDateTime(intDiv({whole_from_ms:Int64}, 1000), 'UTC') AND bucket < toDateTime(intDiv({whole_to_ms:Int64}, 1000), 'UTC')
    GROUP BY at_ms
    UNION ALL
    SELECT toUnixTimestamp64Milli(time) AS at_ms, toInt64(1) AS part_events, ifNull(value, toDecimal128(0, 9)) AS part_amount
    FROM usage_events FINAL
    WHERE sign = 1 AND type IN {types:Array(String)}
        AND (
            {from_ms:Int64} < before_ms AND time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli(before_ms, 'UTC')
            OR after_ms < {to_ms:Int64} AND time >= fromUnixTimestamp64Milli(after_ms, 'UTC') AND time < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC'))
        AND multiIf({kind:String} = 'reseller', reseller = {node:String}, {kind:String} = 'partner', partner = {node:String}, 1)
)
GROUP BY window_ms
HAVING events != 0
