-- How many events each table knows, whose rows come from the events by views; in a whole store all are equal, and
-- `intervals` is the number of stays.
SELECT
    (SELECT count() FROM usage_events FINAL) AS stored,
    (SELECT uniqExact(organization, id) FROM usage_events) AS identities,
    (SELECT sum(events) FROM usage_per_15m FINAL) AS counted,
    (SELECT sum(events) FROM node_usage_per_15m FINAL WHERE kind = 'all') AS counted_for_nodes,
    (SELECT uniqExact(organization, id) FROM event_ids) AS known,
    (SELECT uniqExact(organization, session, level, interval, member) FROM intervals) AS intervals
