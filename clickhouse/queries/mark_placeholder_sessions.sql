-- A dirty session may name an interval of which earlier events did not name the session: then the placeholder session
-- that the interval had until now becomes dirty as well, so that it is emptied.
-- Params: those of fragments/of_share.sql; batch UInt64.
INSERT INTO touched_sessions (batch, organization, session, level, interval)
SELECT DISTINCT {batch:UInt64}, organization, concat('interval:', interval), '', ''
FROM intervals
WHERE session = '' AND (organization, level, interval) IN
(
    SELECT organization, level, interval
    FROM intervals
    WHERE interval != '' AND (organization, session) IN (SELECT organization, session FROM touched_sessions WHERE {{of_share}})
)
{{derivation_bounds}}
