-- What is known of each interval of some sessions, one row per named interval or paired user.
-- Params: organizations, sessions Array(String), in parallel; those of fragments/known_signs.sql. Columns as in session_intervals.sql.
WITH {{known_signs}}
SELECT
    i.organization AS organization, i.session AS session, i.level AS level, i.interval AS interval, i.member AS member,
    {{what_is_known}}
FROM intervals AS i
WHERE (i.organization, i.session) IN (SELECT arrayJoin(arrayZip({organizations:Array(String)}, {sessions:Array(String)})))
GROUP BY organization, session, level, interval, member
{{derivation_bounds}}
