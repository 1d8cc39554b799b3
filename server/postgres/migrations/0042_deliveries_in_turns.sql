ALTER TABLE "channels" ADD COLUMN "slow_in_row" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "deliveries" ADD COLUMN "tenant" text;--> statement-breakpoint
ALTER TABLE "deliveries" ADD COLUMN "is_system" boolean DEFAULT false NOT NULL;--> statement-breakpoint
UPDATE "deliveries" SET "is_system" = true WHERE ("due_at" IS NOT NULL OR "sent_at" > now() - interval '1 hour') AND "message" ->> 'isSystem' = 'true';