-- Counts and exact sums of events of many organizations, each since an instant of its own: whole quarters of an hour from the
-- rollup, what an instant or the end cuts from the events themselves.
-- Params: organizations Array(String) with from_ms Array(Int64), an instant for each; types Array(String); earliest_ms Int64: the
-- least of from_ms; cut_from_ms, cut_to_ms Int64: within them lies every quarter of an hour that one of the instants cuts (equal:
-- none); to_ms Int64, exclusive, with whole_to_ms, rounded_to_ms (fragments/whole_end.sql).
-- Returns organization, type, events, sixtieths of the amount (decimal string).
WITH
    {{in_seconds}},
    {{whole_end}},
    transform(organization, {organizations:Array(String)}, {from_ms:Array(Int64)}, toInt64(9007199254740991)) AS since_ms,
    intDiv(since_ms + 899999, 900000) * 900000 AS whole_from_ms
SELECT organization, type, sum(part_events) AS events, toString({{sixtieths}}) AS sixtieths
FROM
(
    SELECT organization, type, events AS part_events, amount AS part_amount, in_seconds(dims) AS part_in_seconds
    FROM usage_per_15m FINAL
    WHERE organization IN {organizations:Array(String)} AND type IN {types:Array(String)}
        AND bucket >= toDateTime(intDiv({earliest_ms:Int64}, 1000), 'UTC') AND bucket < toDateTime(intDiv(whole_end_ms, 1000), 'UTC')
        AND toInt64(toUnixTimestamp(bucket)) * 1000 >= since_ms
    UNION ALL
    SELECT organization, type, toInt64(1) AS part_events, ifNull(value, toDecimal128(0, 9)) AS part_amount, in_seconds(dims) AS part_in_seconds
    FROM usage_events FINAL
    WHERE sign = 1 AND organization IN {organizations:Array(String)} AND type IN {types:Array(String)}
        AND time < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        AND (time >= fromUnixTimestamp64Milli(whole_end_ms, 'UTC')
            OR time >= fromUnixTimestamp64Milli({cut_from_ms:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({cut_to_ms:Int64}, 'UTC'))
        AND toUnixTimestamp64Milli(time) >= since_ms AND (toUnixTimestamp64Milli(time) < whole_from_ms OR toUnixTimestamp64Milli(time) >= whole_end_ms)
)
GROUP BY organization, type
HAVING events != 0
