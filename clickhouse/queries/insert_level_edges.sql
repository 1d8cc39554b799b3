-- Rows of level_edges as rendered by server/rollups/session-rows.ts.
-- Params: epoch UInt64 (it is refused when another has begun).
INSERT INTO level_edges (organization, session, partner, reseller, part, version, minute, level, edge_ms, edge_delta, edge_starts)
SELECT organization, session, partner, reseller, part, version, minute, level, edge_ms, edge_delta, edge_starts
FROM input('organization String, session String, partner String, reseller String, part UInt16, version UInt64, minute DateTime(\'UTC\'), level String, edge_ms Array(Int64), edge_delta Array(Int64), edge_starts Array(Int64)')
WHERE {{of_this_epoch}}
FORMAT TabSeparated
