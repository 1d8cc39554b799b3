-- What events of unassigned intervals said, those that name no session: under the session that other events assign the
-- interval to, or under a placeholder session, `interval:<name>`, when none does.
-- Params and columns as in session_intervals.sql.
WITH dirty AS
(
    SELECT organization, session FROM touched_sessions
    WHERE {{of_batches}} AND session != '' AND cityHash64(organization, session) % {shares:UInt32} = {share:UInt32}
),
{{known_signs}}
SELECT
    i.organization AS organization, if(assigned.session = '', concat('interval:', i.interval), assigned.session) AS session,
    i.level AS level, i.interval AS interval, i.member AS member,
    {{what_is_known}}
FROM intervals AS i
LEFT JOIN
(
    SELECT organization, level, interval, session FROM interval_sessions
    WHERE (organization, level, interval) IN (SELECT organization, level, interval FROM intervals WHERE session = '' AND interval != '')
) AS assigned ON assigned.organization = i.organization AND assigned.level = i.level AND assigned.interval = i.interval
WHERE i.session = '' AND i.interval != '' AND i.organization IN (SELECT organization FROM dirty)
GROUP BY organization, session, level, interval, member
HAVING (organization, session) IN dirty
