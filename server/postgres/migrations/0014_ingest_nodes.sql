CREATE TABLE "ingest_cluster" (
	"only" integer PRIMARY KEY NOT NULL,
	"owners" text[] NOT NULL,
	"version" integer NOT NULL,
	"deriver" text,
	"deriver_until" timestamp (3) with time zone NOT NULL,
	"term" bigint NOT NULL,
	"unfinished_since" bigint
);
--> statement-breakpoint
CREATE TABLE "ingest_nodes" (
	"name" text PRIMARY KEY NOT NULL,
	"folder" text NOT NULL,
	"url" text NOT NULL,
	"slot" smallint NOT NULL,
	"heard_at" timestamp (3) with time zone NOT NULL,
	"left_at" timestamp (3) with time zone,
	"watermark" timestamp (3) with time zone NOT NULL,
	"settled_batch" bigint NOT NULL,
	"last_number" bigint NOT NULL,
	CONSTRAINT "ingest_nodes_slot_unique" UNIQUE("slot")
);
