-- What was gathered is of no use any more: only one process gathers at a time. No params.
TRUNCATE TABLE gathered_events
