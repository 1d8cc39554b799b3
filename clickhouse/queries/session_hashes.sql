-- The hash of every session that events named, or that something is stored of, as server/ingest/accept/event-hash.ts computes that of an
-- identity. Some come twice. No params; 8 bytes a row.
SELECT xxHash64(concat(toString(length(organization)), ':', organization, session)) AS hash
FROM intervals
WHERE session != ''
GROUP BY organization, session
UNION ALL
SELECT xxHash64(concat(toString(length(organization)), ':', organization, session)) AS hash
FROM sessions
SETTINGS optimize_aggregation_in_order = 1
FORMAT RowBinary
