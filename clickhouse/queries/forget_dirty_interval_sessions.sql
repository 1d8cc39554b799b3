-- Forgets in which session the intervals of dirty sessions are. Params: batches Array(UInt64).
DELETE FROM interval_sessions
WHERE (organization, session) IN (SELECT organization, session FROM touched_sessions WHERE batch IN {batches:Array(UInt64)} AND session != '')
