ALTER TABLE "ingest_nodes" ADD COLUMN "stored_until" timestamp (3) with time zone DEFAULT 'epoch' NOT NULL;--> statement-breakpoint
ALTER TABLE "ingest_nodes" ALTER COLUMN "stored_until" DROP DEFAULT;
