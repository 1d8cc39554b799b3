-- The newest edges of every part of a session and minute that a derivation wrote under a version from `since` on.
-- Params: since UInt64. Returns minute in seconds since 1970.
SELECT organization, session, toUnixTimestamp(minute) AS minute, toString(level) AS level, part, toString(partner) AS partner, toString(reseller) AS reseller,
    edge_ms, edge_delta, edge_starts
FROM level_edges
WHERE version >= {since:UInt64}
ORDER BY version DESC
LIMIT 1 BY level_edges.minute, organization, session, level, part
