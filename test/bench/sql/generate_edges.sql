-- The rows of level_edges that server/rollups/derive-levels.ts writes, for the minutes of some days.
-- Params: from_ms, to_ms Int64 (whole minutes, to exclusive); version UInt64.
INSERT INTO level_edges (minute, organization, session, level, partner, reseller, version, edge_ms, edge_delta, edge_starts)
SELECT toDateTime(intDiv(edge.2, 60000) * 60, 'UTC') AS minute, organization, session, edge.1 AS level, any(partner), any(reseller), {version:UInt64},
    arraySort(groupArray((edge.2, edge.3, edge.4))).1 AS at, arraySort(groupArray((edge.2, edge.3, edge.4))).2, arraySort(groupArray((edge.2, edge.3, edge.4))).3
FROM
(
    SELECT organization, session, partner, reseller, arrayJoin(arrayZip(edge_level, edge_ms, edge_delta, edge_starts)) AS edge
    FROM sessions
    WHERE started_ms < {to_ms:Int64} AND ended_ms >= {from_ms:Int64}
)
WHERE edge.2 >= {from_ms:Int64} AND edge.2 < {to_ms:Int64}
GROUP BY minute, organization, session, level
