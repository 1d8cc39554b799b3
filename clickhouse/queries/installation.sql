-- The installation that the storage belongs to: the first that was written here. No params; no row before the first.
SELECT installation FROM installations ORDER BY since, installation LIMIT 1
