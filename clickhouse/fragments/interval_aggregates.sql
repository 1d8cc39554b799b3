-- What level events say about each interval: a row of `intervals`. A SELECT over `level_events`, which may be the table of
-- that name or events that are named so in its place.
WITH
    toUnixTimestamp64Milli(time) AS time_ms,
    -- A closing of the session may name an interval as well; it closes all the same.
    level_events.interval = '' OR level = 'session' AS is_paired,
    arrayFilter(start_ms -> start_ms > 0, [if(level_action = 'start', time_ms, 0), level_events.started_ms]) AS starts
SELECT
    organization,
    session,
    level,
    if(level = 'session', '', level_events.interval) AS interval,
    if(is_paired AND level != 'session', level_events.user, '') AS member,
    min(arrayMin(arrayPushBack(starts, 9223372036854775807))) AS started_ms,
    max(if(level_action = 'end', time_ms, 0)) AS ended_ms,
    max(time_ms) AS seen_ms,
    max(if(NOT is_paired AND alive_within_ms > 0, (time_ms, alive_within_ms), (toInt64(0), toInt64(0)))) AS alive_within,
    groupUniqArrayArray(if(is_paired AND level_action != 'end' AND alive_within_ms > 0, [(time_ms, alive_within_ms)], [])) AS alive_within_at,
    groupUniqArrayArray(if(is_paired, starts, [])) AS start_times,
    groupUniqArrayArray(if(is_paired AND level_action = 'alive', [time_ms], [])) AS alive_times,
    groupUniqArrayArray(if(is_paired AND level_action = 'end', [time_ms], [])) AS end_times,
    max(level_events.user) AS user,
    max(room) AS room,
    max(agent) AS agent,
    max(partner) AS partner,
    max(reseller) AS reseller,
    -- The earliest, as the largest: migrations/0023_first_dimensions.sql.
    max(if(is_paired OR level_events.dims = '{}', (toInt64(0), ''), (9223372036854775807 - time_ms, toString(level_events.dims)))) AS first_dims,
    groupUniqArrayArray(if(is_paired AND level_events.dims != '{}', [(time_ms, toString(level_events.dims))], [])) AS dims_at
FROM level_events
GROUP BY organization, session, level, interval, member
