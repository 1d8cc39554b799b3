-- Slots that differ from what the edges come to; in a healthy store there are none.
-- Params: day String, organization String ('' for every node); most UInt32.
-- Returns kind and id of the node, what it is about and both sides.
SELECT kind, node,
    concat(level, ' at ', formatDateTime(minute, '%Y-%m-%dT%H:%iZ', 'UTC')) AS subject, toString(expected) AS expected, toString(found) AS found
FROM ({{differing_slots}})
ORDER BY kind, node, subject
LIMIT {most:UInt32}
