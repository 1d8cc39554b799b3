-- Stores one sealed batch; the views fan it out. Sending the same batch again writes the same keys.
-- Params: batch UInt64. Rows: the columns of an event line of the write-ahead log;
-- `checked` was for the sealer and is left behind. A line that was logged before a column was added is shorter, and has the type's
-- default there.
-- Within a batch no event comes twice, and each view groups by its table's key: looking for rows of one key (optimize_on_insert), which
-- takes a sixth of ClickHouse's time, would find none. Batches that are sent again, or refused by halves, meet when parts are merged or read.
INSERT INTO usage_events
SETTINGS input_format_tsv_allow_variable_number_of_columns = 1, optimize_on_insert = 0
SELECT {{event_stored}}, {batch:UInt64}, 1
FROM input('checked UInt8, {{event_structure}}')
FORMAT TabSeparated
