-- The path and the edges that the sessions of unfinished_edges.sql had after their last derivation that ended.
-- Params: since UInt64. The columns of derived_sessions.sql.
SELECT organization, session, part, toString(partner) AS partner, toString(reseller) AS reseller, edge_level, edge_ms, edge_delta, edge_starts, days
FROM sessions FINAL
WHERE (organization, session) IN (SELECT organization, session FROM level_edges WHERE version >= {since:UInt64})
