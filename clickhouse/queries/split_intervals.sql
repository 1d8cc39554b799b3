-- What is known of the intervals of the dirty sessions that events of several sessions name: what all of these said, under the interval's home, the
-- session whose own events have it begin first, of several the first by name.
-- Params and columns as in session_intervals.sql.
WITH named AS
(
    SELECT DISTINCT organization, level, interval FROM intervals
    WHERE session != '' AND interval != '' AND (organization, session) IN (SELECT organization, session FROM touched_sessions WHERE {{of_share}})
),
{{split_of}},
{{known_signs}}
SELECT
    i.organization AS organization, argMin(i.session, (i.started_ms, i.session)) AS session,
    i.level AS level, i.interval AS interval, i.member AS member,
    {{what_is_known}}
FROM
(
    SELECT * FROM intervals
    WHERE (organization, session, level, interval) IN
        (SELECT organization, session, level, interval FROM interval_sessions WHERE (organization, level, interval) IN (SELECT organization, level, interval FROM split))
) AS i
GROUP BY organization, level, interval, member
{{derivation_bounds}}
