-- What is known of each interval of the dirty sessions, one row per named interval or paired user.
-- Params: those of fragments/of_share.sql and of fragments/known_signs.sql.
-- Returns started_ms 9223372036854775807 where no start was seen.
WITH {{known_signs}}
SELECT
    i.organization AS organization, i.session AS session, i.level AS level, i.interval AS interval, i.member AS member,
    {{what_is_known}}
FROM intervals AS i
WHERE (i.organization, i.session) IN
(
    SELECT organization, session FROM touched_sessions
    WHERE {{of_share}}
)
GROUP BY organization, session, level, interval, member
{{derivation_bounds}}
