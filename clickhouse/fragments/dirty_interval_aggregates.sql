-- What the events that count say about the intervals of dirty sessions. Params: batches Array(UInt64).
WITH level_events AS ({{level_events_of_dirty}})
SELECT * FROM ({{interval_aggregates}})
