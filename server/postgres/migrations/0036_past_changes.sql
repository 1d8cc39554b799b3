CREATE TABLE "past_changes" (
	"number" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "past_changes_number_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"cause" text NOT NULL,
	"node" text NOT NULL,
	"meter" text,
	"from_at" timestamp (3) with time zone NOT NULL,
	"to_at" timestamp (3) with time zone,
	"visible_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE INDEX "past_changes_announced" ON "past_changes" USING btree ("cause") WHERE "past_changes"."visible_at" IS NULL;--> statement-breakpoint
CREATE INDEX "past_changes_visible" ON "past_changes" USING btree ("number") WHERE "past_changes"."visible_at" IS NOT NULL;