CREATE TABLE "report_file_parts" (
	"run" text NOT NULL,
	"format" text NOT NULL,
	"section" text NOT NULL,
	"number" integer NOT NULL,
	"content" "bytea" NOT NULL,
	CONSTRAINT "report_file_parts_run_format_section_number_pk" PRIMARY KEY("run","format","section","number")
);
--> statement-breakpoint
CREATE TABLE "report_files" (
	"run" text NOT NULL,
	"format" text NOT NULL,
	"section" text NOT NULL,
	"position" integer NOT NULL,
	"bytes" integer NOT NULL,
	"sha256" text NOT NULL,
	CONSTRAINT "report_files_run_format_section_pk" PRIMARY KEY("run","format","section")
);
--> statement-breakpoint
CREATE TABLE "report_runs" (
	"id" text PRIMARY KEY NOT NULL,
	"once_key" text,
	"report" text NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"options" jsonb NOT NULL,
	"node" text NOT NULL,
	"from_at" timestamp (3) with time zone NOT NULL,
	"to_at" timestamp (3) with time zone NOT NULL,
	"tz" text NOT NULL,
	"formats" text[] NOT NULL,
	"state" text NOT NULL,
	"progress" integer DEFAULT 0 NOT NULL,
	"error" text,
	"watermark" timestamp (3) with time zone,
	"made_at" timestamp (3) with time zone,
	"requested_at" timestamp (3) with time zone NOT NULL,
	"requested_by_id" text NOT NULL,
	"requested_by_name" text NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"leased_until" timestamp (3) with time zone,
	"lease" text,
	"attempts" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "report_runs_once" UNIQUE("once_key")
);
--> statement-breakpoint
CREATE TABLE "reports" (
	"id" text PRIMARY KEY NOT NULL,
	"node" text NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"options" jsonb NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"created_by" text NOT NULL,
	CONSTRAINT "reports_node_name" UNIQUE("node","name")
);
--> statement-breakpoint
ALTER TABLE "installation_secrets" ADD COLUMN "file_links" text DEFAULT gen_random_uuid()::text || gen_random_uuid()::text NOT NULL;--> statement-breakpoint
ALTER TABLE "report_file_parts" ADD CONSTRAINT "report_file_parts_run_report_runs_id_fk" FOREIGN KEY ("run") REFERENCES "public"."report_runs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "report_files" ADD CONSTRAINT "report_files_run_report_runs_id_fk" FOREIGN KEY ("run") REFERENCES "public"."report_runs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "report_runs_state" ON "report_runs" USING btree ("state","requested_at");--> statement-breakpoint
CREATE INDEX "report_runs_order" ON "report_runs" USING btree ("requested_at","id");--> statement-breakpoint
CREATE INDEX "report_runs_expiry" ON "report_runs" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "reports_order" ON "reports" USING btree ("name","id");