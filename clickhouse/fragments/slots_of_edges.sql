-- The slots of some minutes, from all edges of those minutes: the union of each node's subtree, so a peak is exact at each.
-- For a query with the table changed (minute, level, node_key): which ones, node_key being (kind, node).
WITH
    arraySort(groupArray((at_ms, change))) AS steps,
    -- The level against the slot's opening, from the minute's first instant on: what ends exactly then is not in it.
    arrayCumSum(steps.2) AS running
SELECT
    node_key.1 AS kind,
    node_key.2 AS node,
    level,
    minute,
    sum(change) AS net,
    sum(change * (at_ms - minute_ms)) AS weighted,
    arrayMax(running) AS peak,
    steps[indexOf(running, peak)].1 AS peak_at_ms,
    sum(begun) AS starts
FROM
(
    -- One instant's ends and starts come to one net change: an end at t frees before a start at t.
    SELECT minute, minute_ms, level, node_key, at_ms, sum(edge.2) AS change, sum(edge.3) AS begun
    FROM
    (
        SELECT
            minute,
            toInt64(toUnixTimestamp(minute)) * 1000 AS minute_ms,
            level,
            arrayJoin([('organization', organization), ('reseller', toString(reseller)), ('partner', toString(partner)), ('all', '')]) AS node_key,
            -- The empty change at the first instant stands for the level there, and keeps a slot that lost its edges.
            arrayJoin(arrayPushBack(arrayZip(edge_ms, edge_delta, edge_starts), (minute_ms, toInt64(0), toInt64(0)))) AS edge,
            edge.1 AS at_ms
        FROM level_edges FINAL
        WHERE (minute, level) IN (SELECT minute, level FROM changed)
        UNION ALL
        -- A slot that lost its edges to another node.
        SELECT minute, toInt64(toUnixTimestamp(minute)) * 1000 AS minute_ms, level, node_key, (minute_ms, toInt64(0), toInt64(0)), minute_ms
        FROM changed
    )
    WHERE (node_key.1 IN ('organization', 'all') OR node_key.2 != '') AND (minute, level, node_key) IN changed
    GROUP BY minute, minute_ms, level, node_key, at_ms
)
GROUP BY minute, minute_ms, level, node_key
