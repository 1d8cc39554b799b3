-- Which rows of `sessions` a question reads, and what of an interval each row has (clickhouse/migrations/0017_sessions.sql). For a WITH
-- over that table, which takes the columns start_ms, end_ms of an interval. Params: kind, by, filter_dimensions as in selected.sql.
if({kind:String} IN ('reseller', 'partner') OR {by:String} IN ('reseller', 'partner') OR hasAny({filter_dimensions:Array(String)}, ['reseller', 'partner']),
    parts = 0, part = 0) AS is_read,
greatest(span_start_ms, since_ms) AS start_ms,
-- 0: open in this row.
multiIf(span_end_ms != 0, least(span_end_ms, until_ms), until_ms < 9007199254740991, until_ms, 0) AS end_ms,
span_start_ms >= since_ms AND span_start_ms < until_ms AS starts_here
