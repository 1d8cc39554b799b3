-- Counts and exact sums of events per window: whole quarters of an hour from the rollup, what from, to or a finer window
-- cuts from the events themselves.
-- Params: kind, node String, agent String ('' for none; then kind is organization); types Array(String);
-- from_ms, to_ms Int64 (to_ms exclusive); bounds Array(Int64), the starts of the windows, ascending, the first not after
-- from_ms; whole_from_ms, whole_to_ms Int64: the multiples of 15 minutes between which the rollup answers (equal: nowhere).
-- Returns window_ms, events, amount (decimal string).
SELECT
    greatest(roundDown(at_ms, {bounds:Array(Int64)}), {from_ms:Int64}) AS window_ms,
    sum(part_events) AS events,
    toString(sum(part_amount)) AS amount
FROM
(
    SELECT toInt64(toUnixTimestamp(bucket)) * 1000 AS at_ms, events AS part_events, amount AS part_amount
    FROM usage_per_15m FINAL
    WHERE type IN {types:Array(String)}
        AND bucket >= toDateTime(intDiv({whole_from_ms:Int64}, 1000), 'UTC') AND bucket < toDateTime(intDiv({whole_to_ms:Int64}, 1000), 'UTC')
        AND ({kind:String} != 'organization' OR organization = {node:String})
        AND ({kind:String} != 'reseller' OR reseller = {node:String})
        AND ({kind:String} != 'partner' OR partner = {node:String})
        AND ({agent:String} = '' OR agent = {agent:String})
    UNION ALL
    SELECT toUnixTimestamp64Milli(time) AS at_ms, toUInt64(1) AS part_events, ifNull(value, toDecimal128(0, 9)) AS part_amount
    FROM usage_events FINAL
    WHERE type IN {types:Array(String)}
        AND time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        AND (time < fromUnixTimestamp64Milli({whole_from_ms:Int64}, 'UTC') OR time >= fromUnixTimestamp64Milli({whole_to_ms:Int64}, 'UTC'))
        AND ({kind:String} != 'organization' OR organization = {node:String})
        AND ({kind:String} != 'reseller' OR reseller = {node:String})
        AND ({kind:String} != 'partner' OR partner = {node:String})
        AND ({agent:String} = '' OR agent = {agent:String})
)
GROUP BY window_ms
ORDER BY window_ms
