-- Lets the events that count say again what they say about the intervals of touched sessions.
-- Params: batches Array(UInt64).
INSERT INTO level_events
SELECT organization, time, partner, reseller, agent, user, session, room, usage_events.interval, started_ms, dims, level, level_action, alive_within_ms
FROM usage_events FINAL
WHERE sign = 1 AND level != ''
    AND organization IN (SELECT organization FROM touched_sessions WHERE batch IN {batches:Array(UInt64)})
    AND
    (
        (organization, session) IN (SELECT organization, session FROM touched_sessions WHERE batch IN {batches:Array(UInt64)} AND session != '')
        OR (session = '' AND (organization, level, usage_events.interval) IN
            (SELECT organization, level, interval FROM touched_sessions WHERE batch IN {batches:Array(UInt64)} AND session = ''))
    )
