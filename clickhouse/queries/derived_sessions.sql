-- The path and the edges that the parts of the dirty sessions had after their last derivation.
-- Params as in session_intervals.sql.
SELECT organization, session, part, toString(partner) AS partner, toString(reseller) AS reseller, edge_level, edge_ms, edge_delta, edge_starts, days
FROM sessions FINAL
WHERE (organization, session) IN
(
    SELECT organization, session FROM touched_sessions
    WHERE {{of_share}}
)
{{derivation_bounds}}
