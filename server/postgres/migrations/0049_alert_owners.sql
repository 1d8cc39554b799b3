ALTER TABLE "alerts" ADD COLUMN "owners" text[];
--> statement-breakpoint
UPDATE alerts SET owners = statements.path FROM statements
WHERE alerts.kind = 'billing' AND alerts.subject IN ('failed ' || statements.id, 'overdue ' || statements.id);
--> statement-breakpoint
WITH RECURSIVE above AS (
  SELECT id, node, at, 0 AS depth FROM alerts WHERE kind = 'billing' AND owners IS NULL
  UNION ALL
  SELECT above.id, placed.parent, above.at, above.depth + 1
  FROM above CROSS JOIN LATERAL (
    SELECT parent FROM node_parents WHERE node_parents.node = above.node
    ORDER BY valid_from <= above.at DESC, CASE WHEN valid_from <= above.at THEN valid_from END DESC, valid_from LIMIT 1
  ) AS placed
)
UPDATE alerts SET owners = paths.path
FROM (SELECT id, array_agg(node ORDER BY depth) AS path FROM above GROUP BY id) AS paths WHERE alerts.id = paths.id;
