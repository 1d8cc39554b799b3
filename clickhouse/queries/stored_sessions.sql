-- The dirty sessions as they are stored, every column. Params as in session_intervals.sql.
SELECT *
FROM sessions FINAL
WHERE (organization, session) IN
(
    SELECT organization, session FROM touched_sessions
    WHERE {{of_share}}
)
