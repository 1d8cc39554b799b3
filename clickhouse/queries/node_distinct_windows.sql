-- Distinct users or rooms with any presence in all of a node, per window of one or more ranges and over all of each range: the
-- figures of distinct_windows.sql without a split or events, from the days of the ranges alone.
-- Params: kind, node String; thing String: user or room; levels Array(String): whose intervals are a presence; bounds Array(Int64),
-- the starts of all windows in ms, ascending, with gap_starts Array(Int64) among them: the starts of the gaps before the ranges, between
-- two, and after; range_starts Array(Int64), ascending; from_ms, to_ms Int64: the first instant of all, and the end of the last (exclusive, not
-- after now); gap_from_ms, gap_to_ms Int64: what lies between two ranges (equal: nothing).
-- Returns range_ms (the range's start), is_whole (1: over all of the range), window_ms (0 then), things.
WITH
    {bounds:Array(Int64)} AS bounds,
    -- A day before 1970 would be taken for one of the next century.
    ms -> toDate(fromUnixTimestamp64Milli(greatest(ms, 0), 'UTC')) AS day_of,
    day_of({from_ms:Int64}) AS from_day,
    day_of({to_ms:Int64}) AS to_day,
    day_of({gap_from_ms:Int64}) AS gap_from_day,
    day_of({gap_to_ms:Int64}) AS gap_to_day
SELECT range_ms, grouping(window_ms) AS is_whole, window_ms, uniqExact(thing) AS things
FROM
(
    SELECT thing, arrayJoin(arrayFilter(bound -> NOT has({gap_starts:Array(Int64)}, bound),
            if(first = last, [first], arrayFilter(bound -> bound >= first AND bound <= last, bounds)))) AS window_ms,
        roundDown(window_ms, {range_starts:Array(Int64)}) AS range_ms
    FROM
    (
        SELECT
            if({thing:String} = 'user', user, sipHash64(room)) AS thing,
            roundDown(since, bounds) AS first,
            roundDown(least(until, {to_ms:Int64}) - 1, bounds) AS last
        FROM presences FINAL
        ARRAY JOIN level AS of_level, user_hash AS user, since_ms AS since, until_ms AS until
        WHERE (day = toDate('1970-01-01') OR day BETWEEN from_day AND to_day AND NOT (day > gap_from_day AND day < gap_to_day))
            AND ({kind:String} != 'organization' OR organization = {node:String})
            -- The organizations that were ever there, first: FINAL then reads by the primary key and not by what a version says.
            AND ({kind:String} != 'reseller' OR reseller = {node:String} AND organization IN (SELECT organization FROM presences WHERE reseller = {node:String}))
            AND ({kind:String} != 'partner' OR partner = {node:String} AND organization IN (SELECT organization FROM presences WHERE partner = {node:String}))
            AND of_level IN {levels:Array(String)} AND if({thing:String} = 'user', user != 0, room != '')
            AND since < {to_ms:Int64} AND until > {from_ms:Int64}
    )
)
GROUP BY GROUPING SETS ((range_ms, window_ms), (range_ms))
