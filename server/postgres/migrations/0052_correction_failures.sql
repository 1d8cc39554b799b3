ALTER TABLE "event_corrections" ADD COLUMN "failures" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "event_corrections" ADD COLUMN "retry_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "event_corrections" ADD COLUMN "in_doubt_until" timestamp (3) with time zone;