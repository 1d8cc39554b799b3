-- Counts and exact sums of events per window and key: whole quarters of an hour from the rollup, what from, to or a finer
-- window cuts from the events themselves. The rollup knows no user, room or session: a question about those reads events alone.
-- Params: those of fragments/selected.sql; types Array(String); from_ms, to_ms Int64 (to_ms exclusive); bounds Array(Int64),
-- the starts of the windows, ascending, the first not after from_ms; whole_from_ms, whole_to_ms Int64: the multiples of 15
-- minutes between which the rollup answers (equal: nowhere), with rounded_to_ms (fragments/whole_end.sql); rank String: amount or
-- events; most UInt64: rows, the largest of that first.
-- Returns key, is_other, window_ms, events, sixtieths of the amount (decimal string).
WITH
    {{in_seconds}},
    {{rolled_up}}
SELECT
    group_key.1 AS key,
    group_key.2 AS is_other,
    greatest(roundDown(at_ms, {bounds:Array(Int64)}), {from_ms:Int64}) AS window_ms,
    sum(part_events) AS events,
    {{sixtieths}} AS amount_in_sixtieths,
    toString(amount_in_sixtieths) AS sixtieths
FROM
(
    {{events_at_edges}}
    UNION ALL
    -- Second, because ClickHouse lets the names of a first WITH hold for what is united with it.
    WITH '' AS user, '' AS room, '' AS session, {{selected}}
    SELECT group_key, toInt64(toUnixTimestamp(bucket)) * 1000 AS at_ms, events AS part_events, amount AS part_amount, in_seconds(usage_per_15m.dims) AS part_in_seconds
    FROM usage_per_15m FINAL
    WHERE type IN {types:Array(String)}
        AND bucket >= toDateTime(intDiv({whole_from_ms:Int64}, 1000), 'UTC') AND bucket < toDateTime(intDiv(whole_end_ms, 1000), 'UTC')
        AND is_in_subtree AND is_selected
)
GROUP BY key, is_other, window_ms
HAVING events != 0
ORDER BY if({rank:String} = 'amount', amount_in_sixtieths, toDecimal256(events, 9)) DESC, key, window_ms
LIMIT {most:UInt64}
