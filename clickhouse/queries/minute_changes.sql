-- The net change of some levels at each instant of some minutes, by where the sessions stand.
-- Params: minutes Array(UInt32) (seconds since 1970); levels Array(String).
-- Returns minute in seconds since 1970; at_ms and change as parallel arrays; begun: intervals that start in the minute.
SELECT
    toUnixTimestamp(minute) AS minute, level, organization, toString(partner) AS partner, toString(reseller) AS reseller,
    sumMap(edge_ms, edge_delta) AS changes, changes.1 AS at_ms, changes.2 AS change,
    sum(arraySum(edge_starts)) AS begun
FROM level_edges FINAL
WHERE level_edges.minute IN (SELECT toDateTime(arrayJoin({minutes:Array(UInt32)}), 'UTC')) AND level IN {levels:Array(String)}
GROUP BY level_edges.minute, level, organization, level_edges.partner, level_edges.reseller
