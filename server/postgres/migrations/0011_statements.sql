CREATE TABLE "statement_adjustments" (
	"id" text PRIMARY KEY NOT NULL,
	"statement_id" text NOT NULL,
	"number" integer NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"charges" jsonb NOT NULL,
	"carried_by" text,
	CONSTRAINT "statement_adjustments_once" UNIQUE("statement_id","number")
);
--> statement-breakpoint
CREATE TABLE "statement_payments" (
	"id" text PRIMARY KEY NOT NULL,
	"statement_id" text NOT NULL,
	"status" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"reason" text,
	"reference" text,
	"actor_name" text NOT NULL,
	"recorded_at" timestamp (3) with time zone NOT NULL,
	"message_id" text,
	CONSTRAINT "statement_payments_message_id_unique" UNIQUE("message_id")
);
--> statement-breakpoint
CREATE TABLE "statement_progress" (
	"only" smallint PRIMARY KEY DEFAULT 1 NOT NULL,
	"settled_batch" bigint NOT NULL,
	CONSTRAINT "statement_progress_one_row" CHECK ("statement_progress"."only" = 1)
);
--> statement-breakpoint
CREATE TABLE "statements" (
	"id" text PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"node" text NOT NULL,
	"path" text[] NOT NULL,
	"currency" text NOT NULL,
	"subscription_id" text NOT NULL,
	"cycle_start" timestamp (3) with time zone NOT NULL,
	"cycle_end" timestamp (3) with time zone NOT NULL,
	"part_from" timestamp (3) with time zone NOT NULL,
	"part_to" timestamp (3) with time zone NOT NULL,
	"tz" text NOT NULL,
	"closed_at" timestamp (3) with time zone NOT NULL,
	"segments" jsonb NOT NULL,
	"charged_segments" jsonb NOT NULL,
	"usage" jsonb NOT NULL,
	"charges" jsonb NOT NULL,
	"income" jsonb,
	"total" text NOT NULL,
	"income_total" text,
	"payment_status" text DEFAULT 'open' NOT NULL,
	"payment_at" timestamp (3) with time zone NOT NULL,
	"claimant" text,
	"summary_id" text,
	CONSTRAINT "statements_once" UNIQUE("node","kind","subscription_id","cycle_start","part_from","currency","path")
);
--> statement-breakpoint
ALTER TABLE "statement_adjustments" ADD CONSTRAINT "statement_adjustments_statement_id_statements_id_fk" FOREIGN KEY ("statement_id") REFERENCES "public"."statements"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "statement_adjustments" ADD CONSTRAINT "statement_adjustments_carried_by_statements_id_fk" FOREIGN KEY ("carried_by") REFERENCES "public"."statements"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "statement_payments" ADD CONSTRAINT "statement_payments_statement_id_statements_id_fk" FOREIGN KEY ("statement_id") REFERENCES "public"."statements"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "statement_adjustments_open" ON "statement_adjustments" USING btree ("statement_id") WHERE "statement_adjustments"."carried_by" IS NULL;--> statement-breakpoint
CREATE INDEX "statement_payments_statement" ON "statement_payments" USING btree ("statement_id","recorded_at");--> statement-breakpoint
CREATE INDEX "statements_path" ON "statements" USING gin ("path");--> statement-breakpoint
CREATE INDEX "statements_order" ON "statements" USING btree ("part_to","id");--> statement-breakpoint
CREATE INDEX "statements_unclaimed" ON "statements" USING btree ("claimant","part_to") WHERE "statements"."summary_id" IS NULL AND "statements"."claimant" IS NOT NULL;