-- The dirty sessions of a share, in order. Params: those of fragments/of_share.sql.
SELECT DISTINCT organization, session FROM touched_sessions WHERE {{of_share}} ORDER BY organization, session
