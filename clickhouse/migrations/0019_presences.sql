-- Presences of a session in parts (0017_sessions.sql): those of the whole stand without a path, those of each part under its own.
-- Somebody who is found in both counts once, as everywhere here.
ALTER TABLE presences
    ADD COLUMN IF NOT EXISTS part UInt16 AFTER session_hash,
    MODIFY ORDER BY (organization, day, session_hash, part);

ALTER TABLE presences_mv MODIFY QUERY
{{presences_of_parts}};
