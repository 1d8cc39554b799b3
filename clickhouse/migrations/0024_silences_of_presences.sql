-- How long an interval without a name may be silent its own signs say, not those of the same user's intervals before it or after it: (ms since
-- 1970, for how many ms) of every start and sign of life that gave one. alive_within is of named intervals from now on; in rows of before,
-- which do not say what each sign gave, it is of all that one user did: it holds for those whose own signs give none.
ALTER TABLE intervals
    ADD COLUMN IF NOT EXISTS alive_within_at SimpleAggregateFunction(groupUniqArrayArray, Array(Tuple(Int64, Int64)));

ALTER TABLE intervals_mv MODIFY QUERY
WITH
    toUnixTimestamp64Milli(time) AS time_ms,
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
    max(if(is_paired OR level_events.dims = '{}', (toInt64(0), ''), (9223372036854775807 - time_ms, toString(level_events.dims)))) AS first_dims,
    groupUniqArrayArray(if(is_paired AND level_events.dims != '{}', [(time_ms, toString(level_events.dims))], [])) AS dims_at
FROM level_events
GROUP BY organization, session, level, interval, member;
