-- Marks the named intervals of corrected events beside their sessions: an event that counts no more may have been the one
-- that said which session its interval belongs to.
-- Params: batches Array(UInt64).
INSERT INTO touched_sessions (batch, organization, session, level, interval)
SELECT DISTINCT batch, organization, '', level, usage_events.interval
FROM usage_events
WHERE batch IN {batches:Array(UInt64)} AND usage_events.level NOT IN ('', 'session') AND usage_events.interval != ''
