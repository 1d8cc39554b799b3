-- Rows of level_edges as rendered by server/ingest/session-rows.ts. No params.
INSERT INTO level_edges (organization, session, partner, reseller, part, version, minute, level, edge_ms, edge_delta, edge_starts) FORMAT TabSeparated
