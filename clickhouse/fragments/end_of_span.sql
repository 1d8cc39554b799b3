-- When an event of usage_events says what it says of its interval: a span, which lasts from started_ms for its amount of minutes or
-- seconds, at its end; every other event at its own time. Also in migrations/0022_level_spans.sql.
if(usage_events.level_action = 'span',
    fromUnixTimestamp64Milli(started_ms + toInt64(round(ifNull(value, toDecimal128(0, 9)) * if(startsWith(usage_events.dims, '{"unit":"seconds"'), 1000, 60000))), 'UTC'),
    usage_events.time)
