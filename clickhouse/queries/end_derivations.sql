-- Ends what derivations are writing at this moment, and waits until it is over: then all of it is in or none of it.
-- No params.
KILL QUERY
WHERE current_database = currentDatabase() AND query_kind = 'Insert'
    AND match(query, 'INSERT INTO (level_edges|level_slots|open_sessions|sessions)\\b')
SYNC
