-- The organizations with dirty sessions that unassigned intervals may belong to: an event named the interval, but not its session.
-- Params: those of fragments/of_share.sql.
WITH wanted AS
(
    SELECT DISTINCT organization, session FROM touched_sessions WHERE {{of_share}}
),
{{unassigned_of}}
SELECT DISTINCT organization
FROM intervals
WHERE session = '' AND interval != '' AND ((organization, level, interval) IN named OR (organization, interval) IN waiting)
{{derivation_bounds}}
