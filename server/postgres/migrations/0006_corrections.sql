CREATE TABLE "event_corrections" (
	"id" text PRIMARY KEY NOT NULL,
	"organization" text NOT NULL,
	"event_id" text NOT NULL,
	"action" text NOT NULL,
	"reason" text NOT NULL,
	"actor_kind" text NOT NULL,
	"actor_id" text NOT NULL,
	"actor_name" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"before" jsonb NOT NULL,
	"after" jsonb,
	"new_organization" text,
	"replaces" bigint NOT NULL,
	"void_batch" bigint,
	"amend_batch" bigint,
	"applied_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE UNIQUE INDEX "event_corrections_once" ON "event_corrections" USING btree ("organization","event_id","replaces");--> statement-breakpoint
CREATE INDEX "event_corrections_pending" ON "event_corrections" USING btree ("at") WHERE "event_corrections"."applied_at" IS NULL;