-- What was derived for organizations below a partner or reseller with `/` or `%` in its id stands in ClickHouse under that id as its
-- address writes it, since addresses encode them. Their placements are carried out anew from the start, one organization after the
-- other, as a move is: done again it writes the same. Once more an hour later, when no process of before runs any more; then closed
-- statements are measured anew, too.
WITH RECURSIVE "below" ("parent", "node") AS (
	SELECT "node", "node" FROM "nodes" WHERE "kind" IN ('partner', 'reseller') AND "id" ~ '[%/]'
	UNION
	SELECT "below"."parent", "placed"."node" FROM "node_parents" AS "placed" JOIN "below" ON "placed"."parent" = "below"."node"
),
"concerned" AS (
	SELECT "below"."parent", "nodes"."node" FROM "below" JOIN "nodes" ON "nodes"."node" = "below"."node" WHERE "nodes"."kind" = 'organization'
),
"placed_anew" AS (
	INSERT INTO "node_moves" ("node", "effective_at", "decided_at")
	SELECT DISTINCT "node", to_timestamp(0), now() + interval '1 hour' FROM "concerned"
	RETURNING "id", "node"
)
INSERT INTO "past_changes" ("cause", "node", "from_at")
SELECT 'move:' || "placed_anew"."id", "concerned"."parent", to_timestamp(0) FROM "placed_anew" JOIN "concerned" ON "concerned"."node" = "placed_anew"."node";
