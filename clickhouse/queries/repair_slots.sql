-- Writes the slots that differ from what the edges come to as they should be.
-- Params: day String, organization String ('' for every node); version UInt64 (greater than any before).
INSERT INTO level_slots (kind, node, level, minute, version, net, weighted, peak, peak_at_ms, starts)
SELECT kind, node, level, minute, {version:UInt64}, expected.1, expected.2, expected.3,
    if(expected.5 = 0, toInt64(toUnixTimestamp(minute)) * 1000, expected.5), expected.4
FROM ({{differing_slots}})
