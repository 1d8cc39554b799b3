-- The place and the edges that the parts of some sessions had after their last derivation.
-- Params: organizations, sessions Array(String), in parallel. Columns as in derived_sessions.sql.
SELECT organization, session, part, toString(partner) AS partner, toString(reseller) AS reseller, edge_level, edge_ms, edge_delta, edge_starts, days
FROM sessions FINAL
WHERE (organization, session) IN (SELECT arrayJoin(arrayZip({organizations:Array(String)}, {sessions:Array(String)})))
{{derivation_bounds}}
