CREATE TABLE "node_report_settings" (
	"node" text PRIMARY KEY NOT NULL,
	"branding" jsonb,
	"kept_days" integer
);
--> statement-breakpoint
ALTER TABLE "node_report_settings" ADD CONSTRAINT "node_report_settings_node_nodes_node_fk" FOREIGN KEY ("node") REFERENCES "public"."nodes"("node") ON DELETE cascade ON UPDATE no action;