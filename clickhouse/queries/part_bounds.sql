-- Where what a batch marked is cut into parts: every so many-th mark in order of (session, level, interval).
-- Params: batch UInt64, marks UInt32 (of a part).
SELECT session, level, interval
FROM
(
    SELECT session, toString(level) AS level, interval FROM touched_sessions
    WHERE batch = {batch:UInt64}
    GROUP BY session, level, interval
    ORDER BY session, level, interval
)
WHERE (rowNumberInAllBlocks() + 1) % {marks:UInt32} = 0
{{derivation_bounds}}
