-- Distinct users or rooms with any presence per window and key, and over all of the range: never a
-- sum of windows. An interval counts in every window that it overlaps; one of no length is nowhere present. Exact at any
-- size. Ids are compared as they were given, over the whole subtree.
-- Params: those of fragments/selected.sql and fragments/pieces.sql; thing String: user or room; levels Array(String): whose
-- intervals are a presence; events UInt8: 1 when an event that belongs to no interval is one too; most UInt64: rows, the largest
-- first.
-- Returns key, is_other, is_whole (1: over all of the range), window_ms (0 then), things.
WITH {{pieces}}
SELECT group_key.1 AS key, group_key.2 AS is_other, grouping(window_index) AS is_whole, if(is_whole = 1, 0, window_start(window_index)) AS window_ms, uniqExact(id) AS things
FROM
(
    WITH {{selected}},
    {{clip}}
    SELECT
        group_key,
        if({thing:String} = 'user', user, room) AS id,
        greatest(start_ms, {from_ms:Int64}) AS since,
        if(end_ms = 0, {to_ms:Int64}, least(end_ms, {to_ms:Int64})) AS until,
        arrayJoin(windows_of(since, until)) AS window_index
    FROM sessions FINAL
    ARRAY JOIN span_level, span_user AS user, span_agent AS agent, span_dims AS dims, span_start_ms, span_end_ms
    WHERE span_level IN {levels:Array(String)} AND is_read AND is_in_subtree AND is_selected AND id != '' AND since < until
    UNION ALL
    WITH {{selected}}
    SELECT
        group_key,
        if({thing:String} = 'user', user, room) AS id,
        toUnixTimestamp64Milli(time) AS since,
        since + 1 AS until,
        arrayJoin(windows_of(since, until)) AS window_index
    FROM usage_events FINAL
    WHERE {events:UInt8} = 1 AND sign = 1 AND level = '' AND id != ''
        AND time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        AND is_in_subtree AND is_selected
)
GROUP BY GROUPING SETS ((group_key, window_index), (group_key))
ORDER BY things DESC, key, window_ms
LIMIT {most:UInt64}
