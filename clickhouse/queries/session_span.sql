-- When the session or interval that an event belongs to began and had its last sign of life, and until when something in it may be open:
-- what a correction of the event, or its coming late, may change. An interval that events of several sessions name belongs to all of them:
-- which of them it counts in, and so what ends it, may change.
-- Params: organization, session, level, interval String: '' where the event has none; takes_end UInt8: 1 where the event ends
-- something, which may be open without it; alive_within_ms Int64: the levels' default.
-- Returns first_ms, last_ms, alive_until_ms: one row; 0 where nothing is found, alive_until_ms also where nothing can be open.
WITH
    joined AS
    (
        SELECT arrayJoin(named_by) AS session
        FROM
        (
            SELECT groupUniqArray(101)(interval_sessions.session) AS named_by FROM interval_sessions
            WHERE {interval:String} != '' AND organization = {organization:String} AND level = {level:String} AND interval = {interval:String}
        )
        WHERE length(named_by) <= 100
    ),
    named AS
    (
        SELECT DISTINCT organization, level, interval FROM intervals
        WHERE {session:String} != '' AND organization = {organization:String} AND session = {session:String} AND interval != ''
    ),
    {{split_of}},
    known AS
    (
        SELECT level, interval, member, if(interval = '', intervals.session, '') AS place, groupUniqArray(2)(intervals.session) AS places,
            min(started_ms) AS began_ms, max(ended_ms) AS end_ms, max(seen_ms) AS last_sign_ms,
            greatest(max(alive_within).2, arrayMax(arrayPushBack(groupUniqArrayArray(alive_within_at).2, {alive_within_ms:Int64}))) AS within_ms
        FROM intervals
        WHERE organization = {organization:String}
            AND
            (
                ({session:String} != '' AND session = {session:String})
                OR session IN joined
                OR ({interval:String} != '' AND session = '' AND level = {level:String} AND interval = {interval:String})
                OR ({session:String} != '' AND session = '' AND (level, interval) IN (SELECT level, interval FROM named))
                OR (session, level, interval) IN
                    (
                        SELECT session, level, interval FROM interval_sessions
                        WHERE organization = {organization:String} AND (organization, level, interval) IN split
                    )
            )
        GROUP BY level, interval, member, place
    ),
    -- What ends with one of several sessions is not known here: it may be open.
    (SELECT if(uniqExactIf(one, one != '') > 1, 0, max(if(level = 'session', end_ms, 0))) FROM (SELECT level, end_ms, arrayJoin(places) AS one FROM known)) AS closed_ms,
    {takes_end:UInt8} = 0 AND (closed_ms >= last_sign_ms OR if(interval = '', end_ms >= last_sign_ms, end_ms > 0)) AS is_ended
SELECT
    min(least(began_ms, if(end_ms = 0, last_sign_ms, end_ms))) AS first_ms,
    max(greatest(end_ms, last_sign_ms)) AS last_ms,
    maxIf(last_sign_ms + within_ms, level != 'session' AND NOT is_ended) AS alive_until_ms
FROM known
