ALTER TABLE "nodes" ADD COLUMN "external_id" text;--> statement-breakpoint
ALTER TABLE "nodes" ADD COLUMN "status" text DEFAULT 'active' NOT NULL;--> statement-breakpoint
ALTER TABLE "nodes" ADD COLUMN "fields" jsonb DEFAULT '{}'::jsonb NOT NULL;