-- Marks for a comparison every session of one organization of which something happened on one UTC day, by its events or by
-- what was made of them: what should not be there is found too.
-- Params: batch UInt64 (the one to mark them under), organization String, day String.
INSERT INTO touched_sessions (batch, organization, session, level, interval)
WITH
    toDateTime64({day:String}, 3, 'UTC') AS day_start,
    day_start + INTERVAL 1 DAY AS day_end,
    toUnixTimestamp64Milli(day_start) AS start_ms,
    start_ms + 86400000 AS end_ms
SELECT {batch:UInt64}, organization, session, if(session = '', level, ''), if(session = '', usage_events.interval, '')
FROM usage_events
WHERE organization = {organization:String} AND time >= day_start AND time < day_end AND usage_events.level != ''
UNION DISTINCT
SELECT {batch:UInt64}, organization, session, if(session = '', level, ''), if(session = '', intervals.interval, '')
FROM intervals
WHERE organization = {organization:String} AND seen_ms >= start_ms AND seen_ms < end_ms
UNION DISTINCT
SELECT {batch:UInt64}, organization, session, '', ''
FROM sessions
WHERE organization = {organization:String} AND arrayExists(at_ms -> at_ms >= start_ms AND at_ms < end_ms, edge_ms)
UNION DISTINCT
SELECT {batch:UInt64}, organization, session, '', ''
FROM level_edges
WHERE organization = {organization:String} AND minute >= day_start AND minute < day_end
