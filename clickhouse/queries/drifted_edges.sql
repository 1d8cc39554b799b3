-- Edges that differ from those of the sessions; in a healthy store there are none.
-- Params: organization String, day String; most UInt32. Returns what it is about and both sides.
SELECT concat('session ', session, ', ', level, ' at ', formatDateTime(minute, '%Y-%m-%dT%H:%iZ', 'UTC')) AS subject,
    if(empty(expected.3), '', toString(expected)) AS expected, if(empty(found.3), '', toString(found)) AS found
FROM ({{differing_edges}})
ORDER BY subject
LIMIT {most:UInt32}
