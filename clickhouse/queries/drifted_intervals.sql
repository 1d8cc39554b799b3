-- Intervals of dirty sessions of which the table says something else than the events, and where intervals are placed
-- otherwise; in a healthy store there are none. Their path is not looked at: where a session stands the account tree says.
-- Nor is what rows say that were written before dimensions had a time (migrations/0023_first_dimensions.sql), or each sign its silence
-- (migrations/0024_silences_of_presences.sql).
-- Params: batches Array(UInt64); most UInt32. Returns what it is about and both sides, '' for nothing.
WITH
    anyIf(began_with, NOT is_expected).1 = 9223372036854775807 AS is_older,
    interval = '' AND anyIf(alive, NOT is_expected).1 > 0 AS is_older_presence
SELECT organization, concat(if(session = '', '', concat('session ', session, ', ')), level, ' ', interval, member) AS subject,
    concat(anyIf(said, is_expected), if(is_older, '', anyIf(dims_said, is_expected)), if(is_older_presence, '', anyIf(silence_said, is_expected))) AS expected,
    concat(anyIf(said, NOT is_expected), if(is_older, '', anyIf(dims_said, NOT is_expected)), if(is_older_presence, '', anyIf(silence_said, NOT is_expected))) AS found
FROM
(
    SELECT organization, session, toString(level) AS level, interval, member, is_expected,
        toString((first_ms, last_ms, last_seen_ms, arraySort(starts), arraySort(signs), arraySort(ends), any_user, any_room, any_agent, arraySort(all_dims))) AS said,
        began_with, if(began_with.1 = 0, '', concat(' began with ', began_with.2, ' at ', toString(9223372036854775807 - began_with.1))) AS dims_said,
        alive, if(alive.1 = 0 AND empty(silences), '', concat(' alive within ', toString((alive, arraySort(silences))))) AS silence_said
    FROM
    (
        SELECT organization, session, level, interval, member, toUInt8(1) AS is_expected,
            started_ms AS first_ms, ended_ms AS last_ms, seen_ms AS last_seen_ms, alive_within AS alive, alive_within_at AS silences, start_times AS starts, alive_times AS signs, end_times AS ends,
            user AS any_user, room AS any_room, agent AS any_agent, first_dims AS began_with, dims_at AS all_dims
        FROM ({{dirty_interval_aggregates}})
        UNION ALL
        SELECT organization, session, level, intervals.interval AS interval, member, toUInt8(0),
            min(intervals.started_ms), max(intervals.ended_ms), max(intervals.seen_ms), max(intervals.alive_within), groupUniqArrayArray(intervals.alive_within_at),
            groupUniqArrayArray(intervals.start_times), groupUniqArrayArray(intervals.alive_times), groupUniqArrayArray(intervals.end_times),
            max(intervals.user), max(intervals.room), max(intervals.agent), max(intervals.first_dims), groupUniqArrayArray(intervals.dims_at)
        FROM intervals
        WHERE (organization, session) IN (SELECT organization, session FROM touched_sessions WHERE batch IN {batches:Array(UInt64)} AND session != '')
            OR (session = '' AND (organization, level, intervals.interval) IN
                (SELECT organization, level, interval FROM touched_sessions WHERE batch IN {batches:Array(UInt64)} AND session = ''))
        GROUP BY organization, session, level, interval, member
    )
    UNION ALL
    SELECT organization, '', toString(level), level_events.interval, '', toUInt8(1), concat('in session ', session), (toInt64(0), ''), '', (toInt64(0), toInt64(0)), ''
    FROM ({{level_events_of_dirty}}) AS level_events
    WHERE session != '' AND level != 'session' AND level_events.interval != ''
    GROUP BY organization, level, level_events.interval, session
    UNION ALL
    SELECT organization, '', toString(level), interval_sessions.interval, '', toUInt8(0), concat('in session ', session), (toInt64(0), ''), '', (toInt64(0), toInt64(0)), ''
    FROM interval_sessions
    WHERE (organization, session) IN (SELECT organization, session FROM touched_sessions WHERE batch IN {batches:Array(UInt64)} AND session != '')
    GROUP BY organization, level, interval_sessions.interval, session
)
GROUP BY organization, session, level, interval, member, if(startsWith(said, 'in session '), said, '')
HAVING expected != found
ORDER BY organization, subject
LIMIT {most:UInt32}
