-- Counts and exact sums of events of all that a node did, per type and window of one or more ranges: whole quarters of an hour from
-- the rollup of organizations or from that of the nodes above them, those that a range cuts from the events themselves.
-- Params: kind, node String; types Array(String); bounds Array(Int64), the starts of all windows in ms, ascending, and of what lies
-- before the ranges, between two, and after, which the caller drops; since DateTime: the first whole quarter; to_ms, whole_to_ms,
-- rounded_to_ms Int64: where the last range ends (fragments/whole_end.sql); gap_since, gap_until DateTime: whole quarters between two
-- ranges (equal: none); cuts Array(DateTime): the quarters that a range cuts, at most four.
-- Returns type, window_ms, events, sixtieths of the amount (decimal string).
WITH
    {{in_seconds}},
    {{whole_end}},
    toDateTime(intDiv(whole_end_ms, 1000), 'UTC') AS until,
    arrayFilter(cut -> cut >= until OR cut < toDateTime(intDiv({whole_to_ms:Int64}, 1000), 'UTC'), {cuts:Array(DateTime('UTC'))}) AS cuts,
    -- Beyond the last one it is 1970, where no event is.
    place -> fromUnixTimestamp64Milli(toInt64(toUnixTimestamp(cuts[place])) * 1000, 'UTC') AS cut_start,
    place -> fromUnixTimestamp64Milli(toInt64(toUnixTimestamp(cuts[place])) * 1000 + 900000, 'UTC') AS cut_end
SELECT type, roundDown(at_ms, {bounds:Array(Int64)}) AS window_ms, sum(part_events) AS events, toString({{sixtieths}}) AS sixtieths
FROM
(
    SELECT type, toInt64(toUnixTimestamp(bucket)) * 1000 AS at_ms, events AS part_events, amount AS part_amount, in_seconds(dims) AS part_in_seconds
    FROM usage_per_15m FINAL
    WHERE {kind:String} = 'organization' AND organization = {node:String} AND type IN {types:Array(String)}
        AND bucket >= {since:DateTime('UTC')} AND bucket < until AND NOT (bucket >= {gap_since:DateTime('UTC')} AND bucket < {gap_until:DateTime('UTC')})
        AND NOT has(cuts, bucket)
    UNION ALL
    SELECT type, toInt64(toUnixTimestamp(bucket)) * 1000 AS at_ms, events AS part_events, amount AS part_amount, in_seconds(dims) AS part_in_seconds
    FROM node_usage_per_15m FINAL
    WHERE {kind:String} != 'organization' AND kind = {kind:String} AND node = {node:String} AND type IN {types:Array(String)}
        AND bucket >= {since:DateTime('UTC')} AND bucket < until AND NOT (bucket >= {gap_since:DateTime('UTC')} AND bucket < {gap_until:DateTime('UTC')})
        AND NOT has(cuts, bucket)
    UNION ALL
    SELECT type, toUnixTimestamp64Milli(time) AS at_ms, toInt64(1) AS part_events, ifNull(value, toDecimal128(0, 9)) AS part_amount, in_seconds(dims) AS part_in_seconds
    FROM usage_events FINAL
    WHERE sign = 1 AND type IN {types:Array(String)}
        AND multiIf({kind:String} = 'organization', organization = {node:String}, {kind:String} = 'reseller', reseller = {node:String}, {kind:String} = 'partner', partner = {node:String}, 1)
        AND (time >= cut_start(1) AND time < cut_end(1) OR time >= cut_start(2) AND time < cut_end(2)
            OR time >= cut_start(3) AND time < cut_end(3) OR time >= cut_start(4) AND time < cut_end(4))
)
GROUP BY type, window_ms
HAVING events != 0
