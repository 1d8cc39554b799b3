CREATE TABLE "view_links" (
	"id" text PRIMARY KEY NOT NULL,
	"view" text NOT NULL,
	"node" text NOT NULL,
	"token_hash" text NOT NULL,
	"maker_kind" text NOT NULL,
	"maker_id" text NOT NULL,
	"maker_name" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"revoked_at" timestamp (3) with time zone,
	"last_used_at" timestamp (3) with time zone,
	CONSTRAINT "view_links_token_hash_unique" UNIQUE("token_hash")
);
--> statement-breakpoint
ALTER TABLE "view_links" ADD CONSTRAINT "view_links_view_views_id_fk" FOREIGN KEY ("view") REFERENCES "public"."views"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "view_links_view" ON "view_links" USING btree ("view","created_at");--> statement-breakpoint
CREATE INDEX "view_links_node" ON "view_links" USING btree ("node");