-- Slots that differ from what the edges come to; in a healthy store there are none.
-- Params: day String, organization String ('' for every node); most UInt32.
-- Returns the node, what it is about and both sides.
SELECT if(kind = 'all', 'all', concat(kind, ':', node)) AS node_address,
    concat(level, ' at ', formatDateTime(minute, '%Y-%m-%dT%H:%iZ', 'UTC')) AS subject, toString(expected) AS expected, toString(found) AS found
FROM ({{differing_slots}})
ORDER BY node_address, subject
LIMIT {most:UInt32}
