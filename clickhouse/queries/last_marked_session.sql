-- The last of the sessions that were marked under a batch, in order of (organization, session). Params: batch UInt64.
SELECT organization, session
FROM touched_sessions
WHERE batch = {batch:UInt64}
ORDER BY organization DESC, session DESC
LIMIT 1
