-- A level of a node per window, as changes against the level at which the window opens; windows without edges give no
-- row. Whole minutes come from slots, minutes that from or to cut come from their edges.
-- With O the level at the window's opening, b its end and w its start, in ms:
--   integral = O*(b-w) + net*(b-w) - lag_ms;  peak = O + peak, or O when that is more and the window does not begin with an
--   edge (first_ms = w): what ends at w is not in the window.
-- Params: kind, node, level String; from_ms, to_ms Int64 (to_ms exclusive); bounds Array(Int64), the starts of the windows,
-- ascending, the first not after from_ms, all but the first multiples of a minute.
-- Returns window_ms, first_ms, net, lag_ms, peak (may be negative), peak_at_ms (its first instant), starts.
WITH
    intDiv({from_ms:Int64} + 59999, 60000) * 60000 AS first_whole_ms,
    intDiv({to_ms:Int64}, 60000) * 60000 AS end_whole_ms
SELECT window_ms, first_ms, net, lag_ms, peak, peak_at_ms, starts
FROM
(
    -- The running level over a window's steps in order of time, by arrays: half of what a window function takes.
    SELECT
        greatest(roundDown(at_ms, {bounds:Array(Int64)}), {from_ms:Int64}) AS window_ms,
        min(at_ms) AS first_ms,
        sum(change) AS net,
        sum(change * (at_ms - window_ms) + weight) AS lag_ms,
        sum(begun) AS starts,
        arraySort(groupArray((at_ms, change, highest, highest_at_ms))) AS steps,
        arrayMap((after, step) -> after - step.2 + step.3, arrayCumSum(steps.2), steps) AS heights,
        arrayMax(heights) AS peak,
        steps[indexOf(heights, peak)].4 AS peak_at_ms
    FROM
    (
        SELECT toInt64(toUnixTimestamp(minute)) * 1000 AS at_ms, net AS change, weighted AS weight, peak AS highest, peak_at_ms AS highest_at_ms, starts AS begun
        FROM level_slots FINAL
        WHERE kind = {kind:String} AND node = {node:String} AND level = {level:String}
            AND minute >= toDateTime(intDiv(first_whole_ms, 1000), 'UTC') AND minute < toDateTime(intDiv(end_whole_ms, 1000), 'UTC')
        UNION ALL
        SELECT edge.1 AS at_ms, sum(edge.2) AS change, toInt64(0) AS weight, change AS highest, at_ms AS highest_at_ms, sum(edge.3) AS begun
        FROM
        (
            SELECT arrayJoin(arrayZip(edge_ms, edge_delta, edge_starts)) AS edge
            FROM level_edges FINAL
            WHERE minute IN (toDateTime(intDiv({from_ms:Int64}, 60000) * 60, 'UTC'), toDateTime(intDiv({to_ms:Int64}, 60000) * 60, 'UTC'))
                AND level = {level:String}
                AND multiIf({kind:String} = 'organization', organization = {node:String}, {kind:String} = 'reseller', reseller = {node:String}, {kind:String} = 'partner', partner = {node:String}, 1)
        )
        WHERE edge.1 >= {from_ms:Int64} AND edge.1 < {to_ms:Int64} AND (edge.1 < first_whole_ms OR edge.1 >= end_whole_ms)
        GROUP BY at_ms
    )
    GROUP BY window_ms
)
ORDER BY window_ms
