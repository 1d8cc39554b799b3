-- Levels of a node per window of one or more ranges, as changes against the level at which each window opens; windows without edges
-- give no row. Whole minutes come from slots, minutes in which a range begins or ends from their edges; of gaps only the sum of
-- changes is read, which is what carries a level from before the ranges into them, and from one to the next.
-- With O the level at the window's opening, b its end and w its start, in ms:
--   integral = O*(b-w) + net*(b-w) - lag_ms;  peak = O + peak, or O when that is more and the window does not begin with an
--   edge (first_ms = w): what ends at w is not in the window.
-- Params: kind, node String; levels Array(String); bounds Array(Int64), the starts of all windows in ms, ascending, with gap_starts
-- Array(Int64) among them, the starts of the gaps: what lies before the ranges, between two, and after; since, until
-- DateTime: the whole minutes from the first range to the last (until exclusive); gap_since, gap_until DateTime: whole minutes
-- between two ranges (equal: none), with gap_ms Int64, that window's start; partial_buckets Array(DateTime): the minutes in which
-- a range begins or ends.
-- Returns level, window_ms (that before the ranges is the first of bounds), first_ms, net, lag_ms, peak (may be negative; 0 in gaps),
-- peak_at_ms (its first instant), starts.
SELECT level, window_ms, first_ms, net, lag_ms, peak, peak_at_ms, starts
FROM
(
    -- The running level over a window's steps in order of time, by arrays: half of what a window function takes.
    SELECT
        level,
        roundDown(at_ms, {bounds:Array(Int64)}) AS window_ms,
        min(at_ms) AS first_ms,
        sum(change) AS net,
        sum(change * (at_ms - window_ms) + weight) AS lag_ms,
        sum(begun) AS starts,
        arraySort(groupArrayIf((at_ms, change, highest, highest_at_ms), NOT has({gap_starts:Array(Int64)}, window_ms))) AS steps,
        arrayMap((after, step) -> after - step.2 + step.3, arrayCumSum(steps.2), steps) AS heights,
        arrayMax(heights) AS peak,
        steps[indexOf(heights, peak)].4 AS peak_at_ms
    FROM
    (
        SELECT toString(level) AS level, toInt64(toUnixTimestamp(minute)) * 1000 AS at_ms, net AS change, weighted AS weight, peak AS highest, peak_at_ms AS highest_at_ms, starts AS begun
        FROM level_slots FINAL
        WHERE kind = {kind:String} AND node = {node:String} AND level IN {levels:Array(String)}
            AND minute >= {since:DateTime('UTC')} AND minute < {until:DateTime('UTC')} AND NOT (minute >= {gap_since:DateTime('UTC')} AND minute < {gap_until:DateTime('UTC')})
            AND minute NOT IN {partial_buckets:Array(DateTime('UTC'))}
        UNION ALL
        SELECT toString(level) AS level, if(minute < {since:DateTime('UTC')}, {bounds:Array(Int64)}[1], {gap_ms:Int64}) AS at_ms, sum(net) AS change, toInt64(0), toInt64(0), toInt64(0), toInt64(0)
        FROM level_slots FINAL
        WHERE kind = {kind:String} AND node = {node:String} AND level IN {levels:Array(String)}
            AND (minute < {since:DateTime('UTC')} OR minute >= {gap_since:DateTime('UTC')} AND minute < {gap_until:DateTime('UTC')})
            AND minute NOT IN {partial_buckets:Array(DateTime('UTC'))}
        GROUP BY level, at_ms
        UNION ALL
        SELECT level, edge.1 AS at_ms, sum(edge.2) AS change, toInt64(0) AS weight, change AS highest, at_ms AS highest_at_ms, sum(edge.3) AS begun
        FROM
        (
            SELECT toString(level) AS level, arrayJoin(arrayZip(edge_ms, edge_delta, edge_starts)) AS edge
            FROM level_edges FINAL
            WHERE minute IN {partial_buckets:Array(DateTime('UTC'))} AND level IN {levels:Array(String)}
                AND multiIf({kind:String} = 'organization', organization = {node:String}, {kind:String} = 'reseller', reseller = {node:String}, {kind:String} = 'partner', partner = {node:String}, 1)
        )
        GROUP BY level, at_ms
    )
    GROUP BY level, window_ms
)
