-- The slots of the nodes above organizations of generate_organizations.sql, from theirs. Peaks are too high: children's are added up. Params: version UInt64.
INSERT INTO level_slots (kind, node, level, minute, version, net, weighted, peak, peak_at_ms, starts)
SELECT place.1, place.2, level, minute, {version:UInt64}, sum(net), sum(weighted), sum(peak), any(peak_at_ms), sum(starts)
FROM
(
    SELECT
        toUInt64(substring(node, 5)) AS o,
        arrayJoin([('reseller', concat('reseller-', toString(o % 100))), ('partner', concat('partner-', toString(o % 10))), ('all', '')]) AS place,
        level, minute, net, weighted, peak, peak_at_ms, starts
    FROM level_slots
    WHERE kind = 'organization'
)
GROUP BY place, level, minute
