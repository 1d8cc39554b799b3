ALTER TABLE "report_runs" ADD COLUMN "report_node" text;--> statement-breakpoint
CREATE INDEX "deliveries_place" ON "deliveries" USING btree ((CASE WHEN "node" LIKE 'agent:%' THEN 'organization:' || split_part(substr("node", 7), '/', 1) ELSE "node" END),"position");--> statement-breakpoint
CREATE INDEX "report_runs_place" ON "report_runs" USING btree ((CASE WHEN "node" LIKE 'agent:%' THEN 'organization:' || split_part(substr("node", 7), '/', 1) ELSE "node" END),"requested_at");--> statement-breakpoint
-- Of a report that was removed nobody knows whose it was.
UPDATE "report_runs" SET "report_node" = coalesce((SELECT "reports"."node" FROM "reports" WHERE "reports"."id" = "report_runs"."report"), 'all') WHERE "report" <> "kind";
