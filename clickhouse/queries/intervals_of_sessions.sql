-- What is known of each interval of some sessions, one row per named interval or paired user.
-- Params: organizations, sessions Array(String), in parallel; those of fragments/known_signs.sql. Columns as in session_intervals.sql, and is_split:
-- 1 where events of other sessions name the interval as well.
WITH named AS
(
    SELECT DISTINCT organization, level, interval FROM intervals
    WHERE interval != '' AND (organization, session) IN (SELECT arrayJoin(arrayZip({organizations:Array(String)}, {sessions:Array(String)})))
),
{{split_of}},
{{known_signs}}
SELECT
    i.organization AS organization, i.session AS session, i.level AS level, i.interval AS interval, i.member AS member,
    {{what_is_known}},
    (i.organization, i.level, i.interval) IN (SELECT organization, level, interval FROM split) AS is_split
FROM intervals AS i
WHERE (i.organization, i.session) IN (SELECT arrayJoin(arrayZip({organizations:Array(String)}, {sessions:Array(String)})))
GROUP BY organization, session, level, interval, member
{{derivation_bounds}}
