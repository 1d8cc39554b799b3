-- How many events were gathered. Params: run UInt64. Returns events.
SELECT count() AS events FROM gathered_events FINAL WHERE run = {run:UInt64}
