-- What a statement of a derivation may take: it holds up those of everybody. What takes more is read in smaller pieces (rollups/stored-sessions.ts).
-- The result is all in memory at once: 64 MiB are some 200,000 intervals, which take 400 MB while they are derived.
SETTINGS max_memory_usage = 4294967296, max_bytes_before_external_group_by = 1073741824, max_result_bytes = 67108864, result_overflow_mode = 'throw'
