-- How many events of a batch are stored and how many of them the counters know; equal to its manifest when it is whole.
-- Params: batch UInt64.
SELECT
    (SELECT count() FROM usage_events FINAL WHERE batch = {batch:UInt64}) AS events,
    (SELECT sum(events) FROM usage_per_15m FINAL WHERE batch = {batch:UInt64}) AS counted
