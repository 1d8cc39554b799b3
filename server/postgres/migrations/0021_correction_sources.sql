DROP INDEX "event_corrections_once";--> statement-breakpoint
ALTER TABLE "event_corrections" ADD COLUMN "source" text DEFAULT '' NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX "event_corrections_once" ON "event_corrections" USING btree ("organization","event_id","source","replaces");