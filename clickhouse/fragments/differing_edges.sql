-- Edges of an organization's sessions on one UTC day that are not those its sessions have.
-- Params: organization String, day String. Columns session, level, part, minute; expected, found: (partner, reseller, [(ms, delta, starts)]).
SELECT session, level, part, minute, anyIf(said, is_expected) AS expected, anyIf(said, NOT is_expected) AS found
FROM
(
    SELECT session, part, toString(edge.1) AS level, toDateTime(intDiv(edge.2, 60000) * 60, 'UTC') AS minute, toUInt8(1) AS is_expected,
        (toString(any(partner)), toString(any(reseller)), arraySort(groupArray((edge.2, edge.3, edge.4)))) AS said
    FROM
    (
        SELECT session, part, partner, reseller, arrayJoin(arrayZip(edge_level, edge_ms, edge_delta, edge_starts)) AS edge
        FROM sessions FINAL
        WHERE organization = {organization:String}
    )
    WHERE toDate(minute, 'UTC') = toDate({day:String})
    GROUP BY session, part, level, minute
    UNION ALL
    SELECT session, part, toString(level), minute, toUInt8(0), (toString(partner), toString(reseller), arraySort(arrayZip(edge_ms, edge_delta, edge_starts)))
    FROM level_edges FINAL
    WHERE organization = {organization:String} AND toDate(minute, 'UTC') = toDate({day:String}) AND notEmpty(edge_ms)
)
GROUP BY session, level, part, minute
HAVING expected != found
