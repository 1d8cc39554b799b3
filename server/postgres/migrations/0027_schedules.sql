CREATE TABLE "schedule_slots" (
	"id" text PRIMARY KEY NOT NULL,
	"schedule" text NOT NULL,
	"from_at" timestamp (3) with time zone NOT NULL,
	"to_at" timestamp (3) with time zone NOT NULL,
	"tz" text NOT NULL,
	"due_at" timestamp (3) with time zone NOT NULL,
	"test" text DEFAULT '' NOT NULL,
	"test_to" text,
	"state" text NOT NULL,
	"reason" text,
	"run" text,
	"failures" integer DEFAULT 0 NOT NULL,
	"retry_at" timestamp (3) with time zone,
	"deliveries" text[] DEFAULT '{}' NOT NULL,
	"withheld" text[] DEFAULT '{}' NOT NULL,
	"sent_at" timestamp (3) with time zone,
	"is_late" boolean DEFAULT false NOT NULL,
	CONSTRAINT "schedule_slots_once" UNIQUE("schedule","from_at","to_at","test")
);
--> statement-breakpoint
CREATE TABLE "schedules" (
	"id" text PRIMARY KEY NOT NULL,
	"report" text NOT NULL,
	"node" text NOT NULL,
	"every" text NOT NULL,
	"at" text NOT NULL,
	"tz" text NOT NULL,
	"weekday" text,
	"day" integer,
	"fiscal_start_month" integer,
	"formats" text[] NOT NULL,
	"recipients" text[] NOT NULL,
	"people" text[] NOT NULL,
	"channels" text[] NOT NULL,
	"subject" text,
	"when_missed" text NOT NULL,
	"when_empty" text NOT NULL,
	"paused" boolean DEFAULT false NOT NULL,
	"author_kind" text NOT NULL,
	"author_id" text NOT NULL,
	"author_name" text NOT NULL,
	"planned_until" timestamp (3) with time zone NOT NULL,
	"next_at" timestamp (3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "schedule_slots" ADD CONSTRAINT "schedule_slots_schedule_schedules_id_fk" FOREIGN KEY ("schedule") REFERENCES "public"."schedules"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "schedule_slots_open" ON "schedule_slots" USING btree ("state","due_at") WHERE "schedule_slots"."state" IN ('waiting', 'running');--> statement-breakpoint
CREATE INDEX "schedule_slots_order" ON "schedule_slots" USING btree ("schedule","due_at","id");--> statement-breakpoint
CREATE INDEX "schedules_next" ON "schedules" USING btree ("next_at") WHERE NOT "schedules"."paused";--> statement-breakpoint
CREATE INDEX "schedules_node" ON "schedules" USING btree ("node");--> statement-breakpoint
CREATE INDEX "schedules_order" ON "schedules" USING btree ("created_at","id");