-- The hash of every named interval of which an event named the session, as server/rollups/known-sessions.ts computes it. No params; 8 bytes a row.
SELECT xxHash64(concat(organization, char(0), toString(level), char(0), interval)) AS hash
FROM interval_sessions
GROUP BY organization, level, interval
SETTINGS optimize_aggregation_in_order = 1
FORMAT RowBinary
