DROP INDEX "own_meters_node";--> statement-breakpoint
ALTER TABLE "own_meters" DROP CONSTRAINT "own_meters_meter_version_pk";--> statement-breakpoint
ALTER TABLE "own_meters" ADD CONSTRAINT "own_meters_node_meter_version_pk" PRIMARY KEY("node","meter","version");