-- Presences that differ from what the sessions come to; in a healthy store there are none.
-- Params: organization String, day String; most UInt32. Returns what it is about and both sides.
SELECT concat('session ', if(name = '', toString(session_hash), name), ' on ', toString(day)) AS subject,
    if(empty(expected.4), '', toString(expected)) AS expected, if(empty(found.4), '', toString(found)) AS found
FROM ({{differing_presences}}) AS differing
LEFT ANY JOIN (SELECT session AS name, sipHash64(session) AS session_hash FROM sessions WHERE organization = {organization:String}) AS named USING (session_hash)
ORDER BY subject
LIMIT {most:UInt32}
