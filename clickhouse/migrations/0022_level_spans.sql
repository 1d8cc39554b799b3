-- An event whose level_action is `span` is an interval of its own, from its started_ms for its amount of minutes, or of seconds where
-- its dims say so (server/ingest/amount-unit.ts): it ends its interval at that end, whenever the event itself is dated.
ALTER TABLE level_events_mv MODIFY QUERY
SELECT
    organization,
    if(usage_events.level_action = 'span',
        fromUnixTimestamp64Milli(started_ms + toInt64(round(ifNull(value, toDecimal128(0, 9)) * if(startsWith(usage_events.dims, '{"unit":"seconds"'), 1000, 60000))), 'UTC'),
        usage_events.time) AS time,
    partner, reseller, agent, user, session, room, usage_events.interval AS interval, started_ms, dims, level,
    if(usage_events.level_action = 'span', 'end', usage_events.level_action) AS level_action,
    alive_within_ms
FROM usage_events
WHERE level != '' AND sign = 1;
