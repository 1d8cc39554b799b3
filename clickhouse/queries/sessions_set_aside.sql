-- Sessions that were set aside lately: marked under batch 0. Params: most UInt32.
SELECT DISTINCT organization, session FROM touched_sessions WHERE batch = 0 ORDER BY organization, session LIMIT {most:UInt32}
