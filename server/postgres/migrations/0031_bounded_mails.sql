ALTER TABLE "unsubscribed" ADD COLUMN "tenant" text;--> statement-breakpoint
ALTER TABLE "unsubscribed" ADD COLUMN "is_carried" boolean DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX "deliveries_list" ON "deliveries" USING btree ("list") WHERE "deliveries"."channel" IS NULL;--> statement-breakpoint
CREATE INDEX "deliveries_mails" ON "deliveries" USING btree (lower("to"),"sent_at") WHERE "deliveries"."kind" = 'email';--> statement-breakpoint
CREATE INDEX "unsubscribed_address" ON "unsubscribed" USING btree ("address","tenant");