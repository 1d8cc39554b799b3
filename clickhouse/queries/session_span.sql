-- When the session or interval that an event belongs to was first and last heard of: what a correction of it may change.
-- Params: organization, session, interval String: '' where the event has none.
-- Returns first_ms, last_ms: one row; both 0 where nothing is found. Rows that count no more are looked at too.
SELECT
    toUnixTimestamp64Milli(min(time)) AS first_event_ms,
    minIf(started_ms, started_ms != 0) AS first_start_ms,
    count() AS events,
    if(events = 0, 0, if(first_start_ms = 0, first_event_ms, least(first_event_ms, first_start_ms))) AS first_ms,
    if(events = 0, 0, toUnixTimestamp64Milli(max(time))) AS last_ms
FROM usage_events
WHERE organization = {organization:String}
    AND (({session:String} != '' AND session = {session:String}) OR ({interval:String} != '' AND usage_events.interval = {interval:String}))
