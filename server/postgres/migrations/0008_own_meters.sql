CREATE TABLE "own_meters" (
	"meter" text NOT NULL,
	"version" integer NOT NULL,
	"node" text NOT NULL,
	"definition" jsonb NOT NULL,
	"effective_from" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone NOT NULL,
	"created_by" text NOT NULL,
	"retired_at" timestamp (3) with time zone,
	CONSTRAINT "own_meters_meter_version_pk" PRIMARY KEY("meter","version")
);
--> statement-breakpoint
CREATE INDEX "own_meters_node" ON "own_meters" USING btree ("node");