-- Lets the events that were gathered and count say again what they say about the intervals of dirty sessions. ClickHouse ends it long
-- before the client gives it up, so that it is not done beside itself.
-- Params: run UInt64; batches Array(UInt64).
INSERT INTO level_events
SELECT
    {{level_event}}
FROM gathered_events AS usage_events FINAL
WHERE run = {run:UInt64} AND sign = 1 AND level != ''
    AND {{of_dirty_sessions}}
SETTINGS max_execution_time = 30, timeout_overflow_mode = 'throw'
