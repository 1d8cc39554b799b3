-- The organizations with dirty sessions that events of elsewhere may say something of: an event named an interval of theirs, but not its session
-- (is_split 0), or another session than others of its events (is_split 1).
-- Params: those of fragments/of_share.sql.
WITH wanted AS
(
    SELECT DISTINCT organization, session FROM touched_sessions WHERE {{of_share}}
),
{{unassigned_of}},
{{split_of}}
SELECT DISTINCT organization, 0 AS is_split
FROM intervals
WHERE session = '' AND interval != '' AND ((organization, level, interval) IN named OR (organization, interval) IN waiting)
UNION ALL
SELECT DISTINCT organization, 1 AS is_split FROM split
{{derivation_bounds}}
