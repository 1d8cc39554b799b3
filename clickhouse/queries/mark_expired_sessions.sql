-- Marks for derivation the sessions of which an open interval has been silent for longer than its timeout: so many at most, the first after
-- one in order of (organization, session).
-- Params: batch UInt64 (the one to mark them under), now Int64 (ms); after_organization, after_session String ('': from the first on);
-- among UInt64 (0: of all; else of those that this batch made dirty alone), most UInt32.
INSERT INTO touched_sessions (batch, organization, session, level, interval)
SELECT {batch:UInt64}, organization, session, '', ''
FROM open_sessions FINAL
WHERE deadline_ms < {now:Int64}
    AND organization >= {after_organization:String} AND (organization > {after_organization:String} OR session > {after_session:String})
    AND ({among:UInt64} = 0 OR (organization, session) IN (SELECT organization, session FROM touched_sessions WHERE batch = {among:UInt64}))
ORDER BY organization, session
LIMIT {most:UInt32}
