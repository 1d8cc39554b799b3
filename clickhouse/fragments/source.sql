-- Which events are behind a figure of one window. For a WITH over usage_events, after fragments/selected.sql.
-- Params: types Array(String); from_ms, to_ms Int64 (to_ms exclusive); levels Array(String): those whose intervals make the
-- figure, whose events may lie outside the window; empty: events of the window alone; since_ms Int64: where those begin (0 for a
-- level that all earlier events made).
present AS
(
    WITH {{clip}}
    SELECT organization, session, interval, member
    FROM sessions FINAL
    ARRAY JOIN span_level, span_interval AS interval, span_user AS member, span_start_ms, span_end_ms
    WHERE is_read AND span_level IN {levels:Array(String)} AND start_ms < {to_ms:Int64} AND (end_ms = 0 OR end_ms >= {from_ms:Int64} AND end_ms >= start_ms)
        AND ({kind:String} != 'organization' OR organization = {node:String})
        AND ({kind:String} != 'reseller' OR reseller = {node:String})
        AND ({kind:String} != 'partner' OR partner = {node:String})
),
(
    if(empty({levels:Array(String)}),
        time >= fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC'),
        (usage_events.interval != '' AND (organization, usage_events.interval) IN (SELECT organization, interval FROM present WHERE interval != ''))
        OR (usage_events.interval = '' AND (organization, session, user) IN (SELECT organization, session, member FROM present WHERE interval = ''))
        OR (level = 'session' AND (organization, session) IN (SELECT organization, session FROM present)))
) AS is_source
