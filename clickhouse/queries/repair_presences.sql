-- Writes the presences that differ from what the sessions come to as they should be; where there should be none, none.
-- Params: organization String, day String; version UInt64 (greater than any before).
INSERT INTO presences (organization, day, session_hash, part, version, partner, reseller, room, level, user_hash, since_ms, until_ms)
WITH if(empty(expected.4), found, expected) AS known_row
SELECT {organization:String}, day, session_hash, part, {version:UInt64}, known_row.1, known_row.2, known_row.3, expected.4.1, expected.4.2, expected.4.3, expected.4.4
FROM ({{differing_presences}})
