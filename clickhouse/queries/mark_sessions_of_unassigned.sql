-- Events that name an interval but not its session make the session dirty that other events place the interval in; an
-- interval that no event places is a session of its own, `interval:<name>`, which becomes dirty in either case: it is
-- emptied when the interval turns out to belong elsewhere.
-- Params: batches Array(UInt64), batch UInt64 (the one to add the rows to).
INSERT INTO touched_sessions (batch, organization, session, level, interval)
WITH nameless AS
(
    SELECT DISTINCT organization, level, interval
    FROM touched_sessions
    WHERE batch IN {batches:Array(UInt64)} AND session = '' AND interval != ''
)
SELECT {batch:UInt64}, organization, session, '', '' FROM interval_sessions WHERE (organization, level, interval) IN nameless
UNION ALL
SELECT {batch:UInt64}, organization, concat('interval:', interval), '', '' FROM nameless
