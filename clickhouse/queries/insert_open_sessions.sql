-- Rows of open_sessions as rendered by server/rollups/session-rows.ts.
-- Params: epoch UInt64 (it is refused when another has begun).
INSERT INTO open_sessions (organization, session, version, deadline_ms, is_deleted)
SELECT organization, session, version, deadline_ms, is_deleted
FROM input('organization String, session String, version UInt64, deadline_ms Int64, is_deleted UInt8')
WHERE {{of_this_epoch}}
FORMAT TabSeparated
