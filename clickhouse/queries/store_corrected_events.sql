-- Stores the rows of a correction; the views subtract those with sign -1. Sending them again writes the same keys.
-- Params: batch UInt64; sign Int8. Rows: JSON with the columns below.
INSERT INTO usage_events
SELECT {{event_stored}}, {batch:UInt64}, {sign:Int8}
FROM input('{{event_structure}}')
FORMAT JSONEachRow
