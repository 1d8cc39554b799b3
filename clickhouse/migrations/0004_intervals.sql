-- What the events say about each interval, whatever their order: every column is a minimum, a maximum or a set, so
-- repeats and replays change nothing. Times are ms since 1970, UTC.
--
-- A row is an interval that its emitter named (`interval`), or all that one user did in a session (`member`, when no
-- interval was named; the sets of times are kept for the pairing). `session.ended` is a row of level `session`.
-- session = '' holds named intervals whose event did not name the session; interval_sessions tells which it is.
CREATE TABLE intervals
(
    organization String,
    session String,
    level LowCardinality(String),
    interval String,
    member String,
    started_ms SimpleAggregateFunction(min, Int64),      -- 9223372036854775807: no start seen
    ended_ms SimpleAggregateFunction(max, Int64),        -- 0: no end seen
    seen_ms SimpleAggregateFunction(max, Int64),         -- the last sign of life
    alive_within SimpleAggregateFunction(max, Tuple(Int64, Int64)),  -- (time, ms) of the latest event that gave one
    start_times SimpleAggregateFunction(groupUniqArrayArray, Array(Int64)),
    alive_times SimpleAggregateFunction(groupUniqArrayArray, Array(Int64)),
    end_times SimpleAggregateFunction(groupUniqArrayArray, Array(Int64)),
    user SimpleAggregateFunction(max, String),
    room SimpleAggregateFunction(max, String),
    agent SimpleAggregateFunction(max, String),
    partner SimpleAggregateFunction(max, String),
    reseller SimpleAggregateFunction(max, String),
    dims SimpleAggregateFunction(max, String),           -- canonical JSON; '': none
    dims_at SimpleAggregateFunction(groupUniqArrayArray, Array(Tuple(Int64, String)))  -- of pairing: (time, dims)
)
ENGINE = AggregatingMergeTree
ORDER BY (organization, session, level, interval, member)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 1024;

-- What opens, keeps or closes an interval, on its way to the views below; holds nothing itself. A rebuild sends the events
-- through here again.
CREATE TABLE level_events
(
    organization String,
    time DateTime64(3, 'UTC'),
    partner LowCardinality(String),
    reseller LowCardinality(String),
    agent String,
    user String,
    session String,
    room String,
    interval String,
    started_ms Int64,
    dims LowCardinality(String),
    level LowCardinality(String),
    level_action LowCardinality(String),
    alive_within_ms Int64
)
ENGINE = Null;

CREATE MATERIALIZED VIEW level_events_mv TO level_events AS
SELECT organization, time, partner, reseller, agent, user, session, room, usage_events.interval AS interval, started_ms, dims, level, level_action, alive_within_ms
FROM usage_events
WHERE level != '' AND sign = 1;

CREATE MATERIALIZED VIEW intervals_mv TO intervals AS
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
    max(if(alive_within_ms > 0, (time_ms, alive_within_ms), (toInt64(0), toInt64(0)))) AS alive_within,
    groupUniqArrayArray(if(is_paired, starts, [])) AS start_times,
    groupUniqArrayArray(if(is_paired AND level_action = 'alive', [time_ms], [])) AS alive_times,
    groupUniqArrayArray(if(is_paired AND level_action = 'end', [time_ms], [])) AS end_times,
    max(level_events.user) AS user,
    max(room) AS room,
    max(agent) AS agent,
    max(partner) AS partner,
    max(reseller) AS reseller,
    max(if(level_events.dims = '{}', '', level_events.dims)) AS dims,
    groupUniqArrayArray(if(is_paired AND level_events.dims != '{}', [(time_ms, toString(level_events.dims))], [])) AS dims_at
FROM level_events
GROUP BY organization, session, level, interval, member;

-- The session of each named interval, from the events that name both.
CREATE TABLE interval_sessions
(
    organization String,
    level LowCardinality(String),
    interval String,
    session String
)
ENGINE = ReplacingMergeTree
ORDER BY (organization, level, interval, session)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 256;

CREATE MATERIALIZED VIEW interval_sessions_mv TO interval_sessions AS
SELECT DISTINCT organization, level, interval, session
FROM level_events
WHERE level != 'session' AND interval != '' AND session != '';
