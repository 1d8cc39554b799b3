-- Distinct users or rooms with any presence in all of a node, per window and over all of the range (the row with window_ms 0):
-- the figures of distinct_windows.sql without a split or events, from the days of the range alone.
-- Params: kind, node String; thing String: user or room; levels Array(String): whose intervals are a presence; from_ms, to_ms
-- Int64 (to_ms exclusive, not after now); bounds Array(Int64), the starts of the windows, ascending, the first not after from_ms.
-- Returns window_ms, things.
WITH
    {bounds:Array(Int64)} AS bounds,
    fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AS from_time,
    fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC') AS to_time
SELECT if(opening = 0, 0, greatest(opening, {from_ms:Int64})) AS window_ms, uniqExact(thing) AS things
FROM
(
    SELECT thing, arrayJoin(if(first = last, [first], arrayFilter(bound -> bound >= first AND bound <= last, bounds))) AS opening
    FROM
    (
        SELECT
            if({thing:String} = 'user', user, sipHash64(room)) AS thing,
            roundDown(greatest(since, {from_ms:Int64}), bounds) AS first,
            roundDown(least(until, {to_ms:Int64}) - 1, bounds) AS last
        FROM presences FINAL
        ARRAY JOIN level AS of_level, user_hash AS user, since_ms AS since, until_ms AS until
        WHERE (day = toDate('1970-01-01') OR day BETWEEN toDate(from_time) AND toDate(to_time))
            AND ({kind:String} != 'organization' OR organization = {node:String})
            -- The organizations that were ever there, first: FINAL then reads by the primary key and not by what a version says.
            AND ({kind:String} != 'reseller' OR reseller = {node:String} AND organization IN (SELECT organization FROM presences WHERE reseller = {node:String}))
            AND ({kind:String} != 'partner' OR partner = {node:String} AND organization IN (SELECT organization FROM presences WHERE partner = {node:String}))
            AND of_level IN {levels:Array(String)} AND if({thing:String} = 'user', user != 0, room != '')
            AND since < {to_ms:Int64} AND until > {from_ms:Int64}
    )
)
GROUP BY GROUPING SETS ((opening), ())
