-- Rows of open_sessions as rendered by server/ingest/session-rows.ts. No params.
INSERT INTO open_sessions (organization, session, version, deadline_ms, is_deleted) FORMAT TabSeparated
