-- Rows of sessions as rendered by server/rollups/session-rows.ts.
-- Params: epoch UInt64 (it is refused when another has begun).
INSERT INTO sessions
(
    organization, session, partner, reseller, part, parts, since_ms, until_ms, version, room, started_ms, ended_ms, open_spans, deadline_ms,
    peak_participants, peak_at_ms, orphans, inverted, timed_out,
    span_level, span_interval, span_user, span_agent, span_dims, span_start_ms, span_end_ms, span_timed_out,
    edge_level, edge_ms, edge_delta, edge_starts, days
)
SELECT
    organization, session, partner, reseller, part, parts, since_ms, until_ms, version, room, started_ms, ended_ms, open_spans, deadline_ms,
    peak_participants, peak_at_ms, orphans, inverted, timed_out,
    span_level, span_interval, span_user, span_agent, span_dims, span_start_ms, span_end_ms, span_timed_out,
    edge_level, edge_ms, edge_delta, edge_starts, days
FROM input('organization String, session String, partner String, reseller String, part UInt16, parts UInt16, since_ms Int64, until_ms Int64, version UInt64, room String, started_ms Int64, ended_ms Int64, open_spans UInt32, deadline_ms Int64, peak_participants UInt32, peak_at_ms Int64, orphans UInt32, inverted UInt32, timed_out UInt32, span_level Array(String), span_interval Array(String), span_user Array(String), span_agent Array(String), span_dims Array(String), span_start_ms Array(Int64), span_end_ms Array(Int64), span_timed_out Array(UInt8), edge_level Array(String), edge_ms Array(Int64), edge_delta Array(Int64), edge_starts Array(Int64), days Array(UInt16)')
WHERE {{of_this_epoch}}
FORMAT TabSeparated
