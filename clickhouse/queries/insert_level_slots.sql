-- Rows of level_slots as computed by server/ingest/minute-slots.ts. No params.
INSERT INTO level_slots (kind, node, level, minute, version, net, weighted, peak, peak_at_ms, starts) FORMAT TabSeparated
