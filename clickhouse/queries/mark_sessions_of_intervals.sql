-- Marks with the dirty sessions those that what changed in them may change: of an interval that other sessions name as well, one of them may have
-- lost it, or got it, and its placeholder session, `interval:<name>`, is emptied when the interval turns out to belong elsewhere. Where more
-- others name it than are joined (fragments/is_split.sql), it changes none of them.
-- Params: those of fragments/of_share.sql; batch UInt64 (the one to add the rows to).
INSERT INTO touched_sessions (batch, organization, session, level, interval)
WITH named AS
(
    SELECT DISTINCT organization, level, interval FROM intervals
    WHERE session != '' AND interval != '' AND (organization, session) IN (SELECT organization, session FROM touched_sessions WHERE {{of_share}})
)
SELECT DISTINCT {batch:UInt64}, organization, session, '', ''
FROM
(
    SELECT organization, arrayJoin(others) AS session
    FROM
    (
        SELECT organization, groupUniqArray(101)(session) AS others FROM interval_sessions
        WHERE (organization, level, interval) IN (SELECT organization, level, interval FROM named)
            AND (organization, session) NOT IN (SELECT organization, session FROM touched_sessions WHERE {{of_batches}} AND session != '')
        GROUP BY organization, level, interval
        HAVING length(others) <= 100
    )
    UNION ALL
    SELECT organization, concat('interval:', interval) FROM intervals
    WHERE session = '' AND (organization, level, interval) IN (SELECT organization, level, interval FROM named)
)
{{derivation_bounds}}
