-- Whether an event speaks of an interval of a dirty session. Params: batches Array(UInt64).
organization IN (SELECT organization FROM touched_sessions WHERE batch IN {batches:Array(UInt64)})
    AND
    (
        (organization, session) IN (SELECT organization, session FROM touched_sessions WHERE batch IN {batches:Array(UInt64)} AND session != '')
        OR (session = '' AND (organization, level, usage_events.interval) IN
            (SELECT organization, level, interval FROM touched_sessions WHERE batch IN {batches:Array(UInt64)} AND session = ''))
    )
