-- All that is derived of the sessions marked under a batch, but when.
-- Params: batch UInt64.
SELECT * EXCEPT version
FROM sessions FINAL
WHERE (organization, session) IN (SELECT organization, session FROM touched_sessions WHERE batch = {batch:UInt64})
ORDER BY organization, session
