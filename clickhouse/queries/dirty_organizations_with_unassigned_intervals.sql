-- The organizations with dirty sessions that have unassigned intervals: an event named the interval, but not its session.
-- Params: batches Array(UInt64), organizations Array(String) (of these alone; empty: of all).
SELECT DISTINCT organization
FROM intervals
WHERE session = '' AND interval != ''
    AND organization IN (SELECT organization FROM touched_sessions WHERE {{of_batches}})
