-- What was sent in this month before it was counted: the caps hold from the month's first message on.
WITH RECURSIVE sent AS (
  SELECT deliveries.node, count(*)::int AS sent
  FROM delivery_attempts JOIN deliveries ON deliveries.id = delivery
  WHERE kind = 'sms' AND status BETWEEN 200 AND 299
    AND at >= date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
  GROUP BY deliveries.node
), placed AS (
  SELECT DISTINCT ON (node) node, parent FROM node_parents WHERE valid_from <= now() ORDER BY node, valid_from DESC
), above AS (
  SELECT node AS sender, CASE WHEN node LIKE 'agent:%' THEN 'organization:' || split_part(substr(node, 7), '/', 1) ELSE node END AS node
  FROM sent
  UNION ALL
  SELECT sender, placed.parent FROM above JOIN placed ON placed.node = above.node
), counted AS (
  SELECT above.node AS tenant, sum(sent)::int AS sent
  FROM above JOIN sent ON sent.node = above.sender
  WHERE above.node = 'all' OR EXISTS (SELECT FROM placed WHERE placed.node = above.node AND placed.parent = 'all')
  GROUP BY above.node
)
INSERT INTO sms_sent (month, tenant, sent)
SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM'), tenant, sent FROM counted
ON CONFLICT (month, tenant) DO UPDATE SET sent = greatest(sms_sent.sent, excluded.sent);
