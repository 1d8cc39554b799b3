-- Rows of sessions as rendered by server/ingest/session-rows.ts. No params.
INSERT INTO sessions
(
    organization, session, partner, reseller, part, parts, since_ms, until_ms, version, room, started_ms, ended_ms, open_spans, deadline_ms,
    peak_participants, peak_at_ms, orphans, inverted, timed_out,
    span_level, span_interval, span_user, span_agent, span_dims, span_start_ms, span_end_ms, span_timed_out,
    edge_level, edge_ms, edge_delta, edge_starts, days
)
FORMAT TabSeparated
