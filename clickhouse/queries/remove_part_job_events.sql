-- The steps of jobs that a part of a batch left before ClickHouse refused it.
-- Params: batch UInt64.
DELETE FROM job_events
WHERE batch = {batch:UInt64}
SETTINGS lightweight_deletes_sync = 2
