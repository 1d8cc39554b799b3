-- Stores one sealed batch; the views fan it out. Sending the same batch again writes the same keys.
-- Params: batch UInt64. Rows: the columns of an event line of the write-ahead log;
-- `checked` was for the sealer and is left behind.
INSERT INTO usage_events
SELECT {{event_stored}}, {batch:UInt64}, 1
FROM input('checked UInt8, {{event_structure}}')
FORMAT TabSeparated
