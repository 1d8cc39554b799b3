-- A session that runs while its organization moves stands under several parents in turn. Its row `part` 0 stays the whole session,
-- for its organization and for the root, then without a path and without edges; the parts 1 to `parts` of it are one row for each
-- stay, with the path and the edges of that stay (server/ingest/session-parts.ts). Every other session is its part 0 alone.
--
-- Each row has all intervals of the session: a reader cuts them to [since_ms, until_ms), and an interval starts in the part in
-- which its start lies. Who asks for a path, by node, filter or split, reads the rows with parts = 0, and else those with part = 0.
ALTER TABLE sessions
    ADD COLUMN IF NOT EXISTS part UInt16 AFTER session,
    ADD COLUMN IF NOT EXISTS parts UInt16 AFTER part,
    ADD COLUMN IF NOT EXISTS since_ms Int64 AFTER parts,
    ADD COLUMN IF NOT EXISTS until_ms Int64 DEFAULT 9007199254740991 AFTER since_ms,
    MODIFY ORDER BY (organization, session, part);
