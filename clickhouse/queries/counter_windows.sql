-- Counts and exact sums of events of all that a node did, per type and window of one or more ranges: whole quarters of an hour from
-- the rollup of organizations or from that of the nodes above them, those in which a range begins or ends from the events themselves.
-- Params: kind, node String; types Array(String); bounds Array(Int64), the starts of all windows in ms, ascending, and of what lies
-- before the ranges, between two, and after, which the caller drops; since DateTime: the first whole quarter; to_ms, whole_to_ms,
-- rounded_to_ms Int64: where the last range ends (fragments/whole_end.sql); gap_since, gap_until DateTime: whole quarters between two
-- ranges (equal: none); partial_buckets Array(DateTime): the quarters in which a range begins or ends; last_to_ms Int64: the end of
-- the one that starts at whole_to_ms, if it is one of them, else whole_to_ms; partial_1 to partial_4 Int64: the starts of the others, 0
-- where there are no more: in 1970 there is no event. An array of them would be understood anew wherever one of its instants is named.
-- Returns type, window_ms, events, sixtieths of the amount (decimal string).
WITH
    {{in_seconds}},
    {{whole_end}},
    toDateTime(intDiv(whole_end_ms, 1000), 'UTC') AS until,
    {partial_buckets:Array(DateTime('UTC'))} AS partial_buckets,
    toDateTime(intDiv({whole_to_ms:Int64}, 1000), 'UTC') AS whole_to
SELECT type, roundDown(at_ms, {bounds:Array(Int64)}) AS window_ms, sum(part_events) AS events, toString({{sixtieths}}) AS sixtieths
FROM
(
    {{quarters_of_node}}
    UNION ALL
    SELECT type, toUnixTimestamp64Milli(time) AS at_ms, toInt64(1) AS part_events, ifNull(value, toDecimal128(0, 9)) AS part_amount, in_seconds(dims) AS part_in_seconds
    FROM usage_events FINAL
    WHERE sign = 1 AND type IN {types:Array(String)}
        AND multiIf({kind:String} = 'organization', organization = {node:String}, {kind:String} = 'reseller', reseller = {node:String}, {kind:String} = 'partner', partner = {node:String}, 1)
        AND (time >= fromUnixTimestamp64Milli(whole_end_ms, 'UTC') AND time < fromUnixTimestamp64Milli({last_to_ms:Int64}, 'UTC')
            OR time >= fromUnixTimestamp64Milli({partial_1:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({partial_1:Int64} + 900000, 'UTC')
            OR time >= fromUnixTimestamp64Milli({partial_2:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({partial_2:Int64} + 900000, 'UTC')
            OR time >= fromUnixTimestamp64Milli({partial_3:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({partial_3:Int64} + 900000, 'UTC')
            OR time >= fromUnixTimestamp64Milli({partial_4:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({partial_4:Int64} + 900000, 'UTC'))
)
GROUP BY type, window_ms
HAVING events != 0
