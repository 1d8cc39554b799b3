-- A level of many organizations, each since an instant of its own until to_ms: minutes, peak, starts and what it is at the end. Whole
-- minutes come from slots, those that an instant or the end cuts from their edges; the level at the instant is the sum of all
-- changes before it.
-- Params: organizations Array(String) with from_ms Array(Int64), an instant for each; level String; peaks UInt8: 0 leaves the peak
-- out, which costs most; cut_minutes Array(Int64): the minutes, in ms, that instants or the end cut; to_ms Int64, exclusive.
-- Returns organization, integral_ms, peak, starts, closing. What ends at the instant itself is not in the span, as in level_windows.sql.
WITH
    transform(organization, {organizations:Array(String)}, {from_ms:Array(Int64)}, toInt64(9007199254740991)) AS since_ms,
    intDiv(since_ms, 60000) * 60000 AS since_minute_ms,
    intDiv({to_ms:Int64}, 60000) * 60000 AS whole_to_ms
SELECT
    organization,
    sum(change * ({to_ms:Int64} - greatest(at_ms, since_ms)) - if(at_ms < since_ms, toInt64(0), weight)) AS integral_ms,
    sumIf(change, at_ms < since_ms) AS opening,
    arraySort(groupArrayIf((at_ms, change, highest), {peaks:UInt8} = 1 AND at_ms >= since_ms)) AS steps,
    arrayMap((after, step) -> after - step.2 + step.3, arrayCumSum(steps.2), steps) AS heights,
    arrayMax(heights) AS rise,
    opening + if(notEmpty(steps) AND (rise > 0 OR steps[1].1 = any(since_ms)), rise, toInt64(0)) AS peak,
    sumIf(begun, at_ms >= since_ms) AS starts,
    sum(change) AS closing
FROM
(
    SELECT node AS organization, toInt64(toUnixTimestamp(minute)) * 1000 AS at_ms, net AS change, weighted AS weight, peak AS highest, starts AS begun
    FROM level_slots FINAL
    WHERE kind = 'organization' AND node IN {organizations:Array(String)} AND level = {level:String}
        AND minute < toDateTime(intDiv(whole_to_ms, 1000), 'UTC')
        AND (since_minute_ms = since_ms OR toInt64(toUnixTimestamp(minute)) * 1000 != since_minute_ms)
    UNION ALL
    SELECT organization, edge.1 AS at_ms, sum(edge.2) AS change, toInt64(0) AS weight, change AS highest, sum(edge.3) AS begun
    FROM
    (
        SELECT organization, arrayJoin(arrayZip(edge_ms, edge_delta, edge_starts)) AS edge
        FROM level_edges FINAL
        WHERE minute IN (SELECT toDateTime(intDiv(arrayJoin({cut_minutes:Array(Int64)}), 1000), 'UTC'))
            AND (toInt64(toUnixTimestamp(minute)) * 1000 = whole_to_ms OR since_minute_ms != since_ms AND toInt64(toUnixTimestamp(minute)) * 1000 = since_minute_ms)
            AND level = {level:String} AND organization IN {organizations:Array(String)}
    )
    WHERE edge.1 < {to_ms:Int64}
    GROUP BY organization, at_ms
)
GROUP BY organization
