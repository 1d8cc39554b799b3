-- Events of an unassigned interval (they name no session) make the sessions dirty that other events assign the interval to,
-- and in either case its placeholder session, `interval:<name>`, which is emptied when the interval turns out to belong elsewhere. A name that more
-- sessions use than are joined (fragments/is_split.sql) belongs to none of them.
-- Params: batches Array(UInt64), organizations Array(String) (of these alone; empty: of all), batch UInt64 (the one to add the rows to).
INSERT INTO touched_sessions (batch, organization, session, level, interval)
WITH unassigned AS
(
    SELECT DISTINCT organization, level, interval
    FROM touched_sessions
    WHERE {{of_batches}} AND session = '' AND interval != ''
)
SELECT {batch:UInt64}, organization, arrayJoin(others), '', ''
FROM
(
    SELECT organization, groupUniqArray(101)(session) AS others FROM interval_sessions
    WHERE (organization, level, interval) IN unassigned
        AND (organization, session) NOT IN (SELECT organization, session FROM touched_sessions WHERE {{of_batches}} AND session != '')
    GROUP BY organization, level, interval
    HAVING length(others) <= 100
)
UNION ALL
SELECT {batch:UInt64}, organization, concat('interval:', interval), '', '' FROM unassigned
{{derivation_bounds}}
