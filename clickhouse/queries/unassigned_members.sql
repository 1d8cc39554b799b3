-- What events of unassigned intervals said, those that name no session: under the session that other events assign the
-- interval to, or under a placeholder session, `interval:<name>`, when none does.
-- Params and columns as in session_members.sql.
WITH dirty AS
(
    SELECT organization, session FROM touched_sessions
    WHERE batch IN {batches:Array(UInt64)} AND session != '' AND cityHash64(organization, session) % {shares:UInt32} = {share:UInt32}
)
SELECT
    i.organization AS organization, if(assigned.session = '', concat('interval:', i.interval), assigned.session) AS session,
    i.level AS level, i.interval AS interval, i.member AS member,
    min(i.started_ms) AS started_ms, max(i.ended_ms) AS ended_ms, max(i.seen_ms) AS seen_ms, max(i.alive_within).2 AS alive_within_ms,
    groupUniqArrayArray(i.start_times) AS start_times, groupUniqArrayArray(i.alive_times) AS alive_times, groupUniqArrayArray(i.end_times) AS end_times,
    max(i.user) AS user, max(i.room) AS room, max(i.agent) AS agent, max(i.partner) AS partner, max(i.reseller) AS reseller, max(i.dims) AS dims, groupUniqArrayArray(i.dims_at) AS dims_at
FROM intervals AS i
LEFT JOIN
(
    SELECT organization, level, interval, session FROM interval_sessions
    WHERE (organization, level, interval) IN (SELECT organization, level, interval FROM intervals WHERE session = '' AND interval != '')
) AS assigned ON assigned.organization = i.organization AND assigned.level = i.level AND assigned.interval = i.interval
WHERE i.session = '' AND i.interval != '' AND i.organization IN (SELECT organization FROM dirty)
GROUP BY organization, session, level, interval, member
HAVING (organization, session) IN dirty
