-- What events of unassigned intervals said, those that name no session: under the session that other events assign the
-- interval to, its home (split_intervals.sql) where these name several, or under a placeholder session, `interval:<name>`, when none does.
-- Params and columns as in session_intervals.sql.
WITH wanted AS
(
    SELECT organization, session FROM touched_sessions
    WHERE {{of_share}}
),
{{unassigned_of}},
{{known_signs}}
SELECT
    i.organization AS organization, if(assigned.home = '', concat('interval:', i.interval), assigned.home) AS session,
    i.level AS level, i.interval AS interval, i.member AS member,
    {{what_is_known}}
FROM
(
    SELECT * FROM intervals
    WHERE session = '' AND interval != '' AND ((organization, level, interval) IN named OR (organization, interval) IN waiting)
) AS i
LEFT JOIN
(
    SELECT organization, level, interval, argMin(session, (started_ms, session)) AS home FROM intervals
    WHERE (organization, session, level, interval) IN
        (SELECT organization, session, level, interval FROM interval_sessions WHERE (organization, level, interval) IN named OR (organization, interval) IN waiting)
    GROUP BY organization, level, interval
    HAVING uniqUpTo(100)(session) <= 100
) AS assigned ON assigned.organization = i.organization AND assigned.level = i.level AND assigned.interval = i.interval
WHERE (i.organization, if(assigned.home = '', concat('interval:', i.interval), assigned.home)) IN wanted
GROUP BY organization, session, level, interval, member
{{derivation_bounds}}
