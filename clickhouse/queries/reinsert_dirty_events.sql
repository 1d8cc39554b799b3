-- Lets the events that count say again what they say about the intervals of dirty sessions.
-- Params: batches Array(UInt64).
INSERT INTO level_events
{{level_events_of_dirty}}
