CREATE TABLE "failed_jobs" (
	"job" text PRIMARY KEY NOT NULL,
	"failed_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "alert_progress" ADD COLUMN "costly_until" timestamp (3) with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
ALTER TABLE "deliveries" ADD COLUMN "given_up_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "ingest_nodes" ADD COLUMN "backlog_share" double precision DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "ingest_stores" ADD COLUMN "backlog_share" double precision DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX "deliveries_given_up" ON "deliveries" USING btree ("given_up_at") WHERE "deliveries"."given_up_at" IS NOT NULL;--> statement-breakpoint
UPDATE "alert_progress" SET "costly_until" = "swept_at";