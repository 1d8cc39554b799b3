-- Those of the dirty sessions that are listed as open. Params as in session_intervals.sql.
SELECT organization, session, deadline_ms
FROM open_sessions FINAL
WHERE (organization, session) IN
(
    SELECT organization, session FROM touched_sessions
    WHERE {{of_share}}
)
