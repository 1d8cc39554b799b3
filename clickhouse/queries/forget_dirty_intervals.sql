-- Forgets what events said about the intervals of dirty sessions, so that the events that still count can say it anew.
-- Params: batches Array(UInt64).
DELETE FROM intervals
WHERE (organization, session) IN (SELECT organization, session FROM touched_sessions WHERE batch IN {batches:Array(UInt64)} AND session != '')
    OR (session = '' AND (organization, level, interval) IN
        (SELECT organization, level, interval FROM touched_sessions WHERE batch IN {batches:Array(UInt64)} AND session = ''))
