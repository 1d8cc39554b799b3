-- Marks for derivation every session with an event of one organization on one UTC day.
-- Params: batch UInt64 (the one to mark them under), organization String, day String.
INSERT INTO touched_sessions (batch, organization, session, level, interval)
SELECT DISTINCT {batch:UInt64}, organization, session, if(session = '', level, ''), if(session = '', usage_events.interval, '')
FROM usage_events
WHERE organization = {organization:String} AND toDate(time, 'UTC') = toDate({day:String}) AND usage_events.level != ''
