-- Slots of one UTC day that are not what the edges come to. Params: day String; organization String: only the slots of it and of
-- the nodes above it that day, '' for every node's.
-- Columns kind, node, level, minute; expected, found: (net, weighted, peak, starts, peak_at_ms), zeros for an empty slot.
WITH
    toDateTime({day:String}, 'UTC') AS day_start,
    day_start + INTERVAL 1 DAY AS day_end,
    asked AS
    (
        SELECT DISTINCT arrayJoin([('organization', organization), ('reseller', toString(reseller)), ('partner', toString(partner)), ('all', '')]) AS node_key
        FROM level_edges FINAL
        WHERE organization = {organization:String} AND minute >= day_start AND minute < day_end
        UNION DISTINCT
        SELECT arrayJoin([('organization', {organization:String}), ('all', '')])
    ),
    changed AS
    (
        SELECT DISTINCT minute, level, arrayJoin([('organization', organization), ('reseller', toString(reseller)), ('partner', toString(partner)), ('all', '')]) AS node_key
        FROM level_edges FINAL
        WHERE minute >= day_start AND minute < day_end AND ({organization:String} = '' OR node_key IN asked)
    )
SELECT kind, node, level, minute, anyIf(figures, is_expected) AS expected, anyIf(figures, NOT is_expected) AS found
FROM
(
    SELECT kind, node, level, minute, is_expected,
        if((net, weighted, peak, starts) = (0, 0, 0, 0), (toInt64(0), toInt64(0), toInt64(0), toInt64(0), toInt64(0)), (net, weighted, peak, starts, peak_at_ms)) AS figures
    FROM
    (
        SELECT kind, node, toString(level) AS level, minute, toUInt8(1) AS is_expected, net, weighted, peak, starts, peak_at_ms
        FROM ({{slots_of_edges}})
        UNION ALL
        SELECT toString(kind), node, toString(level), minute, toUInt8(0), net, weighted, peak, starts, peak_at_ms
        FROM level_slots FINAL
        WHERE minute >= day_start AND minute < day_end AND ({organization:String} = '' OR (toString(kind), node) IN asked)
    )
)
GROUP BY kind, node, level, minute
HAVING expected != found
