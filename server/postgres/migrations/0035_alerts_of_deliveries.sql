ALTER TABLE "deliveries" ADD COLUMN "alerts" text[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
CREATE INDEX "deliveries_alerts" ON "deliveries" USING gin ("alerts");