-- How many sessions some batches made dirty, and how many of their rows name an unassigned interval.
-- Params: batches Array(UInt64), organizations Array(String) (of these alone; empty: of all). Returns one row.
SELECT
    uniqExactIf((organization, session), session != '') AS sessions,
    countIf(session = '' AND interval != '') AS unassigned
FROM touched_sessions
WHERE {{of_batches}}
