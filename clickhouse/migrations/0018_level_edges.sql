-- A session whose organization moved within a minute has edges under both parents there: a row for each part of it (0017_sessions.sql).
ALTER TABLE level_edges
    ADD COLUMN IF NOT EXISTS part UInt16 AFTER level,
    MODIFY ORDER BY (minute, organization, session, level, part);
