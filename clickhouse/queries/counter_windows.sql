-- Counts and exact sums of events of all that a node did, per type and window of one or more ranges: whole quarters of an hour from
-- the rollup of organizations or from that of the nodes above them, those in which a range begins or ends from the events themselves.
-- Params: kind, node String; types Array(String); bounds Array(Int64), the starts of all windows in ms, ascending, and of what lies
-- before the ranges, between two, and after, which the caller drops; since DateTime: the first whole quarter; to_ms, whole_to_ms,
-- rounded_to_ms Int64: where the last range ends (fragments/whole_end.sql); gap_since, gap_until DateTime: whole quarters between two
-- ranges (equal: none); partial_buckets Array(DateTime): the quarters in which a range begins or ends, at most four.
-- Returns type, window_ms, events, sixtieths of the amount (decimal string).
WITH
    {{in_seconds}},
    {{whole_end}},
    toDateTime(intDiv(whole_end_ms, 1000), 'UTC') AS until,
    arrayFilter(bucket_start -> bucket_start >= until OR bucket_start < toDateTime(intDiv({whole_to_ms:Int64}, 1000), 'UTC'), {partial_buckets:Array(DateTime('UTC'))}) AS partial_buckets,
    -- Beyond the last one it is 1970, where no event is.
    number -> fromUnixTimestamp64Milli(toInt64(toUnixTimestamp(partial_buckets[number])) * 1000, 'UTC') AS partial_start,
    number -> fromUnixTimestamp64Milli(toInt64(toUnixTimestamp(partial_buckets[number])) * 1000 + 900000, 'UTC') AS partial_end
SELECT type, roundDown(at_ms, {bounds:Array(Int64)}) AS window_ms, sum(part_events) AS events, toString({{sixtieths}}) AS sixtieths
FROM
(
    SELECT type, toInt64(toUnixTimestamp(bucket)) * 1000 AS at_ms, events AS part_events, amount AS part_amount, in_seconds(dims) AS part_in_seconds
    FROM usage_per_15m FINAL
    WHERE {kind:String} = 'organization' AND organization = {node:String} AND type IN {types:Array(String)}
        AND bucket >= {since:DateTime('UTC')} AND bucket < until AND NOT (bucket >= {gap_since:DateTime('UTC')} AND bucket < {gap_until:DateTime('UTC')})
        AND NOT has(partial_buckets, bucket)
    UNION ALL
    SELECT type, toInt64(toUnixTimestamp(bucket)) * 1000 AS at_ms, events AS part_events, amount AS part_amount, in_seconds(dims) AS part_in_seconds
    FROM node_usage_per_15m FINAL
    WHERE {kind:String} != 'organization' AND kind = {kind:String} AND node = {node:String} AND type IN {types:Array(String)}
        AND bucket >= {since:DateTime('UTC')} AND bucket < until AND NOT (bucket >= {gap_since:DateTime('UTC')} AND bucket < {gap_until:DateTime('UTC')})
        AND NOT has(partial_buckets, bucket)
    UNION ALL
    SELECT type, toUnixTimestamp64Milli(time) AS at_ms, toInt64(1) AS part_events, ifNull(value, toDecimal128(0, 9)) AS part_amount, in_seconds(dims) AS part_in_seconds
    FROM usage_events FINAL
    WHERE sign = 1 AND type IN {types:Array(String)}
        AND multiIf({kind:String} = 'organization', organization = {node:String}, {kind:String} = 'reseller', reseller = {node:String}, {kind:String} = 'partner', partner = {node:String}, 1)
        AND (time >= partial_start(1) AND time < partial_end(1) OR time >= partial_start(2) AND time < partial_end(2)
            OR time >= partial_start(3) AND time < partial_end(3) OR time >= partial_start(4) AND time < partial_end(4))
)
GROUP BY type, window_ms
HAVING events != 0
