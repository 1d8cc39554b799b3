-- The largest number that rows of which the newest wins were written with, or a batch was stored under. No params.
SELECT greatest(
    (SELECT max(version) FROM sessions),
    (SELECT max(version) FROM usage_per_15m),
    (SELECT max(batch) FROM usage_events)) AS version
