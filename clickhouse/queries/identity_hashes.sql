-- The hash of every stored identity, as server/ingest/accept/event-hash.ts computes it. No params; 8 bytes a row.
SELECT xxHash64(concat(toString(length(organization)), ':', organization, id))
FROM usage_events
FORMAT RowBinary
