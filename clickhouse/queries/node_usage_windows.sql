-- Counts and exact sums of events per window and key of what a node above organizations did: whole quarters of an hour from the
-- node's own rollup, what from, to or a finer window cuts from the events themselves. The same figures as usage_windows.sql, for
-- filters and keys among the dimensions that events declare: the rollup knows nothing else.
-- Params: as in usage_windows.sql; kind is reseller, partner or all, agent ''.
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
    WITH '' AS organization, '' AS partner, '' AS reseller, '' AS agent, '' AS user, '' AS room, '' AS session, {{selected}}
    SELECT group_key, toInt64(toUnixTimestamp(bucket)) * 1000 AS at_ms, sum(events) AS part_events, sum(amount) AS part_amount, in_seconds(node_usage_per_15m.dims) AS part_in_seconds
    FROM node_usage_per_15m FINAL
    WHERE kind = {kind:String} AND node = {node:String} AND type IN {types:Array(String)}
        AND bucket >= toDateTime(intDiv({whole_from_ms:Int64}, 1000), 'UTC') AND bucket < toDateTime(intDiv(whole_end_ms, 1000), 'UTC')
        AND is_selected
    GROUP BY group_key, at_ms, part_in_seconds
)
GROUP BY key, is_other, window_ms
HAVING events != 0
ORDER BY if({rank:String} = 'amount', amount_in_sixtieths, toDecimal256(events, 9)) DESC, key, window_ms
LIMIT {most:UInt64}
