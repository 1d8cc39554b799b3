-- Rows of open_sessions as derived by server/ingest/derive-levels.ts. No params.
INSERT INTO open_sessions FORMAT JSONEachRow
