-- What is known of each interval of the dirty sessions, one row per named interval or paired member.
-- Params: batches Array(UInt64); share UInt32 and shares UInt32: which part of the sessions, by hash.
-- Returns started_ms 9223372036854775807 where no start was seen.
SELECT
    i.organization AS organization, i.session AS session, i.level AS level, i.interval AS interval, i.member AS member,
    min(i.started_ms) AS started_ms, max(i.ended_ms) AS ended_ms, max(i.seen_ms) AS seen_ms, max(i.alive_within).2 AS alive_within_ms,
    groupUniqArrayArray(i.start_times) AS start_times, groupUniqArrayArray(i.alive_times) AS alive_times, groupUniqArrayArray(i.end_times) AS end_times,
    max(i.user) AS user, max(i.room) AS room, max(i.agent) AS agent, max(i.partner) AS partner, max(i.reseller) AS reseller, max(i.dims) AS dims, groupUniqArrayArray(i.dims_at) AS dims_at
FROM intervals AS i
WHERE (i.organization, i.session) IN
(
    SELECT organization, session FROM touched_sessions
    WHERE batch IN {batches:Array(UInt64)} AND session != '' AND cityHash64(organization, session) % {shares:UInt32} = {share:UInt32}
)
GROUP BY organization, session, level, interval, member
