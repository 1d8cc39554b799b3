-- Rows of sessions as derived by server/ingest/derive-levels.ts. No params.
INSERT INTO sessions FORMAT JSONEachRow
