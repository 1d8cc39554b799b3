-- How many events of a batch are stored, and how many of them each table of counters knows; equal to its manifest when it is
-- whole.
-- Params: batch UInt64.
SELECT
    (SELECT count() FROM usage_events FINAL WHERE batch = {batch:UInt64}) AS events,
    (SELECT sum(events) FROM usage_per_15m FINAL WHERE batch = {batch:UInt64}) AS counted,
    (SELECT sum(events) FROM node_usage_per_15m FINAL WHERE kind = 'all' AND batch = {batch:UInt64}) AS counted_for_nodes
