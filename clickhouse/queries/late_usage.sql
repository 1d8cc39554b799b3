-- Organizations with events stored or corrected under the batches after `after` up to `settled` that change what is known of
-- times before `before_ms`: the earliest such time of each, the days of the events (their first instants, UTC), the earliest
-- time from which they change intervals (an end that comes late, and a start that is void, change all minutes since the
-- session's first interval and since the event itself, which may be its only trace), and the resellers and partners that
-- they belong to. The other events of their jobs are times that they change too, and no days of events.
-- May report too much (a session that merely goes on), never too little.
-- Params: after, settled UInt64; before_ms Int64.
-- Returns organization, first_ms, days, session_ms (null: none), resellers, partners.
WITH
    dirty AS
    (
        SELECT DISTINCT organization, session, level, interval
        FROM usage_events
        WHERE batch > {after:UInt64} AND batch <= {settled:UInt64} AND level != ''
    ),
    unassigned AS (SELECT organization, level, interval FROM dirty WHERE session = '' AND interval != '')
SELECT organization, min(at_ms) AS first_ms, groupUniqArrayIf(intDiv(at_ms, 86400000) * 86400000, of_event = 1) AS days,
    minOrNullIf(at_ms, of_interval) AS session_ms, groupUniqArray(reseller) AS resellers, groupUniqArray(partner) AS partners
FROM
(
    SELECT organization, least(toUnixTimestamp64Milli(time), if(started_ms = 0, toUnixTimestamp64Milli(time), started_ms)) AS at_ms,
        1 AS of_event, level != '' AS of_interval, toString(reseller) AS reseller, toString(partner) AS partner
    FROM usage_events
    WHERE batch > {after:UInt64} AND batch <= {settled:UInt64} AND at_ms < {before_ms:Int64}
    UNION ALL
    SELECT organization, arrayMin(span_start_ms) AS at_ms, 0 AS of_event, 1 AS of_interval, toString(reseller) AS reseller, toString(partner) AS partner
    FROM sessions FINAL
    WHERE (organization, session) IN
        (
            SELECT organization, session FROM dirty WHERE session != ''
            UNION ALL
            SELECT organization, concat('interval:', interval) FROM unassigned
            UNION ALL
            SELECT organization, arrayJoin(named_by)
            FROM
            (
                SELECT organization, groupUniqArray(101)(interval_sessions.session) AS named_by FROM interval_sessions
                WHERE (organization, level, interval) IN (SELECT organization, level, interval FROM dirty WHERE interval != '')
                GROUP BY organization, level, interval
            )
            WHERE length(named_by) <= 100
        )
        AND notEmpty(span_start_ms) AND arrayMin(span_start_ms) < {before_ms:Int64}
    UNION ALL
    SELECT organization, toUnixTimestamp64Milli(time) AS at_ms, 0 AS of_event, 0 AS of_interval, toString(reseller) AS reseller, toString(partner) AS partner
    FROM job_events
    WHERE at_ms < {before_ms:Int64} AND (organization, job) IN
        (SELECT organization, job FROM usage_events WHERE batch > {after:UInt64} AND batch <= {settled:UInt64} AND job != '')
)
GROUP BY organization
ORDER BY organization
