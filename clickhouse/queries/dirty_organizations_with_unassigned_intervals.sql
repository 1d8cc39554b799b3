-- The organizations with dirty sessions that unassigned intervals may belong to: an event named the interval, but not its session.
-- Params: batches Array(UInt64), organizations Array(String) (of these alone; empty: of all).
WITH wanted AS
(
    SELECT DISTINCT organization, session FROM touched_sessions WHERE {{of_batches}} AND session != ''
),
{{unassigned_of}}
SELECT DISTINCT organization
FROM intervals
WHERE session = '' AND interval != '' AND ((organization, level, interval) IN named OR (organization, interval) IN waiting)
