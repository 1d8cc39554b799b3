-- Writes the edges that differ from those of the sessions as they should be; where there should be none, none.
-- Params: organization String, day String; version UInt64 (greater than any before).
INSERT INTO level_edges (minute, organization, session, level, part, partner, reseller, version, edge_ms, edge_delta, edge_starts)
WITH if(empty(expected.3), found, expected) AS known_row
SELECT minute, {organization:String}, session, level, part, known_row.1, known_row.2, {version:UInt64}, expected.3.1, expected.3.2, expected.3.3
FROM ({{differing_edges}})
