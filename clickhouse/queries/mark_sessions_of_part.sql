-- Marks for a comparison some of the sessions and intervals without a session that another batch marked: those after one and up to another
-- in order of (session, level, interval).
-- Params: batch UInt64 (the one to mark them under), of UInt64; after_session, after_level, after_interval String (all '': from the first on),
-- until_session, until_level, until_interval String (all '': to the last).
INSERT INTO touched_sessions (batch, organization, session, level, interval)
SELECT DISTINCT {batch:UInt64}, organization, session, level, interval
FROM touched_sessions
WHERE batch = {of:UInt64}
    AND session >= {after_session:String}
    AND (session, toString(level), interval) > ({after_session:String}, {after_level:String}, {after_interval:String})
    AND (({until_session:String} = '' AND {until_level:String} = '')
        OR (session <= {until_session:String}
            AND (session, toString(level), interval) <= ({until_session:String}, {until_level:String}, {until_interval:String})))
