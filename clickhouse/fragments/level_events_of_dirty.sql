-- The events that count and speak of the intervals of dirty sessions, as rows of level_events.
-- Params: batches Array(UInt64).
SELECT
    {{level_event}}
FROM usage_events FINAL
WHERE sign = 1 AND level != ''
    AND {{of_dirty_sessions}}
