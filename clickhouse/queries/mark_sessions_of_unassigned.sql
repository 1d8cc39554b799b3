-- Events of an unassigned interval (they name no session) make the session dirty that other events assign the interval to,
-- and in either case its placeholder session, `interval:<name>`, which is emptied when the interval turns out to belong elsewhere.
-- Params: batches Array(UInt64), organizations Array(String) (of these alone; empty: of all), batch UInt64 (the one to add the rows to).
INSERT INTO touched_sessions (batch, organization, session, level, interval)
WITH unassigned AS
(
    SELECT DISTINCT organization, level, interval
    FROM touched_sessions
    WHERE {{of_batches}} AND session = '' AND interval != ''
)
SELECT {batch:UInt64}, organization, session, '', '' FROM interval_sessions WHERE (organization, level, interval) IN unassigned
UNION ALL
SELECT {batch:UInt64}, organization, concat('interval:', interval), '', '' FROM unassigned
{{derivation_bounds}}
