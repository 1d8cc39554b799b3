CREATE TABLE "alert_progress" (
	"only" smallint PRIMARY KEY DEFAULT 1 NOT NULL,
	"batch" bigint NOT NULL,
	"audit_sequence" bigint NOT NULL,
	"swept_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "alert_progress_one_row" CHECK ("alert_progress"."only" = 1)
);
--> statement-breakpoint
CREATE TABLE "alerts" (
	"id" text PRIMARY KEY NOT NULL,
	"key" text NOT NULL,
	"rule_id" text NOT NULL,
	"rule_name" text NOT NULL,
	"kind" text NOT NULL,
	"node" text NOT NULL,
	"place" text NOT NULL,
	"subject" text NOT NULL,
	"severity" text NOT NULL,
	"state" text NOT NULL,
	"feature" text,
	"meter" text,
	"threshold" jsonb,
	"value" text,
	"limit" text,
	"percent" text,
	"period_start" timestamp (3) with time zone,
	"period_end" timestamp (3) with time zone,
	"at" timestamp (3) with time zone NOT NULL,
	"fired_at" timestamp (3) with time zone,
	"resolved_at" timestamp (3) with time zone,
	"due" text,
	"due_since" timestamp (3) with time zone,
	"told_at" timestamp (3) with time zone,
	"is_quiet" boolean DEFAULT false NOT NULL,
	"passed_with" text,
	"acknowledged_by" text,
	"acknowledged_at" timestamp (3) with time zone,
	"snoozed_until" timestamp (3) with time zone,
	"explanation" text NOT NULL,
	"watermark" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "alerts_key_unique" UNIQUE("key")
);
--> statement-breakpoint
CREATE TABLE "notifications" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"alert_id" text NOT NULL,
	"type" text NOT NULL,
	"text" text NOT NULL,
	"others" text[] NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"read_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "rules" (
	"id" text PRIMARY KEY NOT NULL,
	"node" text NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"scope" text NOT NULL,
	"severity" text NOT NULL,
	"enabled" boolean NOT NULL,
	"channels" text[] NOT NULL,
	"repeat_hours" double precision,
	"mute" jsonb NOT NULL,
	"replaces" text,
	"condition" jsonb NOT NULL,
	"is_default" boolean DEFAULT false NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"in_force_since" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "notifications" ADD CONSTRAINT "notifications_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "notifications" ADD CONSTRAINT "notifications_alert_id_alerts_id_fk" FOREIGN KEY ("alert_id") REFERENCES "public"."alerts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "alerts_place" ON "alerts" USING btree ("place","at");--> statement-breakpoint
CREATE INDEX "alerts_at" ON "alerts" USING btree ("at","id");--> statement-breakpoint
CREATE INDEX "alerts_rule" ON "alerts" USING btree ("rule_id","node");--> statement-breakpoint
CREATE INDEX "alerts_open" ON "alerts" USING btree ("rule_id") WHERE "alerts"."state" <> 'resolved';--> statement-breakpoint
CREATE INDEX "alerts_due" ON "alerts" USING btree ("rule_id") WHERE "alerts"."due" IS NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX "alerts_one_open" ON "alerts" USING btree ("rule_id","node","subject") WHERE "alerts"."state" <> 'resolved' AND "alerts"."kind" <> 'quota';--> statement-breakpoint
CREATE INDEX "notifications_user" ON "notifications" USING btree ("user_id","at","id");--> statement-breakpoint
CREATE INDEX "notifications_unread" ON "notifications" USING btree ("user_id") WHERE "notifications"."read_at" IS NULL;--> statement-breakpoint
CREATE INDEX "notifications_alert" ON "notifications" USING btree ("alert_id");--> statement-breakpoint
CREATE INDEX "rules_node" ON "rules" USING btree ("node");--> statement-breakpoint
CREATE UNIQUE INDEX "rules_one_default" ON "rules" USING btree ("is_default") WHERE "rules"."is_default";