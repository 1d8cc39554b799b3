-- The events that count and speak of the intervals of dirty sessions, as rows of level_events.
-- Params: batches Array(UInt64).
SELECT
    organization, {{end_of_span}} AS time, partner, reseller, agent, user, session, room, usage_events.interval AS interval, started_ms, dims, level,
    if(usage_events.level_action = 'span', 'end', usage_events.level_action) AS level_action, alive_within_ms
FROM usage_events FINAL
WHERE sign = 1 AND level != ''
    AND organization IN (SELECT organization FROM touched_sessions WHERE batch IN {batches:Array(UInt64)})
    AND
    (
        (organization, session) IN (SELECT organization, session FROM touched_sessions WHERE batch IN {batches:Array(UInt64)} AND session != '')
        OR (session = '' AND (organization, level, usage_events.interval) IN
            (SELECT organization, level, interval FROM touched_sessions WHERE batch IN {batches:Array(UInt64)} AND session = ''))
    )
