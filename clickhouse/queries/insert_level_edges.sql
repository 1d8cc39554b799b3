-- Rows of level_edges as derived by server/ingest/derive-levels.ts. No params.
INSERT INTO level_edges FORMAT JSONEachRow
