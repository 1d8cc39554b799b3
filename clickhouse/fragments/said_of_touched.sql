-- What the events that count say about the intervals of touched sessions. Params: batches Array(UInt64).
WITH level_events AS ({{level_events_of_touched}})
SELECT * FROM ({{said_of_intervals}})
