-- What an event of usage_events says of an interval: the columns of level_events.
organization, {{end_of_span}} AS time, partner, reseller, agent, user, session, room, usage_events.interval AS interval, started_ms, dims, level,
    if(usage_events.level_action = 'span', 'end', usage_events.level_action) AS level_action, alive_within_ms
