-- Intervals that count nowhere, or not as they were sent, newest last sign of life first: `orphan` waits for its start,
-- `inverted` ends before its start, `timed_out` fell silent. Without a name, ends and signs of life are orphans that come before every start of
-- their user, whatever follows (server/rollups/resolve-session.ts). `sessions` says where there are any; who they are follows from
-- `intervals`, joined with the session that other events assign an interval to, as in unassigned_intervals.sql and split_intervals.sql. A parent of some of the time
-- has those whose last sign of life was given while the organization stood below it (organization_stays), without a name those signs
-- of a user that were: who had it before learns nothing of what came after.
-- Params: kind, node, agent String as in usage_windows.sql; kinds Array(String); filter_dimensions, filter_operators
-- Array(String), filter_values Array(Array(String)): all must hold; from_ms, to_ms Int64 (to_ms exclusive): bounds of the last
-- sign of life; before_ms Int64, before_key Array(String): only what comes before this key; most UInt32.
-- Returns seen_ms, started_ms and ended_ms (0: not seen), placed: the session, `interval:<name>` for none.
WITH
    {{holds}},
    dimension -> multiIf(
        dimension = 'user', user, dimension = 'agent', agent, dimension = 'room', room, dimension = 'level', level,
        dimension = 'interval', interval, dimension = 'organization', organization, placed) AS value_of,
    {kind:String} IN ('reseller', 'partner') AS is_of_parents,
    -- From when until when organizations that ever moved stood below the node.
    stays AS
    (
        SELECT organization, arrayFilter(stay -> stay.3 = {node:String},
            arrayZip(since_ms, arrayPushBack(arrayPopFront(since_ms), 9223372036854775807), if({kind:String} = 'partner', partner, reseller))) AS here
        FROM organization_stays FINAL
        WHERE is_of_parents
    ),
    suspects AS
    (
        SELECT organization, session FROM sessions FINAL
        WHERE part = 0
            AND ((has({kinds:Array(String)}, 'orphan') AND orphans > 0) OR (has({kinds:Array(String)}, 'inverted') AND inverted > 0))
            AND ({kind:String} != 'organization' OR organization = {node:String})
            AND (NOT is_of_parents OR multiIf(
                organization IN (SELECT organization FROM stays WHERE notEmpty(here)), true,
                organization IN (SELECT organization FROM stays), false,
                if({kind:String} = 'partner', partner, reseller) = {node:String}))
    ),
    named AS
    (
        SELECT DISTINCT organization, level, interval FROM intervals
        WHERE session != '' AND interval != '' AND (organization, session) IN suspects
    ),
    {{split_of}}
SELECT found_kind, organization, placed, level, interval, user, agent, room, started_ms, ended_ms, seen_ms
FROM
(
    WITH at_ms -> empty(here) OR arrayExists(stay -> at_ms >= stay.1 AND at_ms < stay.2, here) AS is_here
    SELECT
        multiIf(
            interval = '', if(empty(stray_signs), '', 'orphan'),
            first_ms = 9223372036854775807, 'orphan',
            if(last_ms = 0, last_seen_ms, last_ms) < first_ms, 'inverted', '') AS found_kind,
        organization, placed, level, interval, if(member = '', any_user, member) AS user,
        -- Of what went on elsewhere they may be from there.
        if(is_here(last_seen_ms), any_agent, '') AS agent, if(is_here(last_seen_ms), any_room, '') AS room,
        if(interval = '' OR first_ms = 9223372036854775807 OR NOT is_here(first_ms), 0, first_ms) AS started_ms,
        if(interval = '', arrayMax(arrayPushBack(stray_ends, 0)), if(is_here(last_ms), last_ms, 0)) AS ended_ms,
        if(interval = '', arrayMax(arrayPushBack(stray_signs, 0)), last_seen_ms) AS seen_ms
    FROM
    (
        WITH
            at_ms -> empty(here) OR arrayExists(stay -> at_ms >= stay.1 AND at_ms < stay.2, here) AS is_here,
            arrayFilter(at_ms -> at_ms <= first_ms AND is_here(at_ms), groupUniqArrayArray(i.end_times)) AS own_stray_ends,
            arrayFilter(at_ms -> at_ms < first_ms AND is_here(at_ms), groupUniqArrayArray(i.alive_times)) AS stray_alives
        SELECT
            i.organization AS organization, multiIf(assigned.home != '', assigned.home, i.session != '', i.session, concat('interval:', i.interval)) AS placed,
            i.level AS level, i.interval AS interval, i.member AS member,
            min(i.started_ms) AS first_ms, max(i.ended_ms) AS last_ms, max(i.seen_ms) AS last_seen_ms,
            max(i.user) AS any_user, max(i.agent) AS any_agent, maxIf(i.room, assigned.home IN ('', i.session) OR i.session = '') AS any_room,
            any(stays.here) AS here, own_stray_ends AS stray_ends, arrayConcat(own_stray_ends, stray_alives) AS stray_signs
        FROM
        (
            SELECT * FROM intervals
            WHERE level != 'session'
                AND ((organization, session) IN suspects OR (session = '' AND organization IN (SELECT organization FROM suspects))
                    OR (organization, session, level, interval) IN
                        (SELECT organization, session, level, interval FROM interval_sessions WHERE (organization, level, interval) IN split))
        ) AS i
        LEFT JOIN stays ON stays.organization = i.organization
        LEFT JOIN
        (
            SELECT organization, level, interval, argMin(session, (started_ms, session)) AS home FROM intervals
            WHERE (organization, session, level, interval) IN
            (
                SELECT organization, session, level, interval FROM interval_sessions
                WHERE (organization, level, interval) IN split OR (organization, level, interval) IN
                (
                    SELECT organization, level, interval FROM intervals
                    WHERE session = '' AND interval != '' AND organization IN (SELECT organization FROM suspects)
                )
            )
            GROUP BY organization, level, interval
            HAVING uniqUpTo(100)(session) <= 100
        ) AS assigned ON assigned.organization = i.organization AND assigned.level = i.level AND assigned.interval = i.interval
        WHERE (i.organization, multiIf(assigned.home != '', assigned.home, i.session != '', i.session, concat('interval:', i.interval))) IN suspects
        GROUP BY organization, placed, level, interval, member
    )
    WHERE has({kinds:Array(String)}, found_kind) AND is_here(seen_ms)
    UNION ALL
    SELECT
        'timed_out' AS found_kind, organization, session AS placed, one.1 AS level, one.2 AS interval, one.3 AS user, one.4 AS agent, room,
        greatest(one.5, since_ms) AS started_ms, one.6 AS ended_ms, one.6 AS seen_ms
    FROM sessions FINAL
    ARRAY JOIN arrayFilter(span -> span.7 = 1, arrayZip(span_level, span_interval, span_user, span_agent, span_start_ms, span_end_ms, span_timed_out)) AS one
    WHERE has({kinds:Array(String)}, 'timed_out') AND sessions.timed_out > 0
        AND if(is_of_parents, parts = 0 AND one.6 > since_ms AND one.6 <= until_ms, part = 0)
        AND ({kind:String} != 'organization' OR organization = {node:String})
        AND ({kind:String} != 'reseller' OR reseller = {node:String})
        AND ({kind:String} != 'partner' OR partner = {node:String})
)
WHERE seen_ms >= {from_ms:Int64} AND seen_ms < {to_ms:Int64}
    AND ({agent:String} = '' OR agent = {agent:String})
    AND (seen_ms, [organization, placed, level, interval, user]) < ({before_ms:Int64}, {before_key:Array(String)})
    AND (empty({filter_dimensions:Array(String)}) OR arrayAll((dimension, operator, wanted) -> holds(operator, wanted, value_of(dimension)),
        {filter_dimensions:Array(String)}, {filter_operators:Array(String)}, {filter_values:Array(Array(String))}))
ORDER BY seen_ms DESC, [organization, placed, level, interval, user] DESC
LIMIT {most:UInt32}
