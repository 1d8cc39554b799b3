CREATE TABLE "ingest_stores" (
	"only" integer PRIMARY KEY NOT NULL,
	"installation" text NOT NULL,
	"mode" text NOT NULL,
	"secret_proof" text,
	"node" text,
	"folder" text,
	"host" text,
	"process" text,
	"heard_at" timestamp (3) with time zone,
	"watermark" timestamp (3) with time zone
);
--> statement-breakpoint
ALTER TABLE "ingest_nodes" ADD COLUMN "host" text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE "ingest_nodes" ADD COLUMN "process" text DEFAULT '' NOT NULL;