-- Whether organizations with dirty sessions have unassigned intervals: an event named the interval, but not its session.
-- Params: batches Array(UInt64), organizations Array(String) (of these alone; empty: of all). Returns at most one row.
SELECT 1 AS found
FROM intervals
WHERE session = '' AND interval != ''
    AND organization IN (SELECT organization FROM touched_sessions WHERE {{of_batches}})
LIMIT 1
