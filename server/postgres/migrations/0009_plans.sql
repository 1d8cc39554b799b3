CREATE TABLE "plan_versions" (
	"plan_id" text NOT NULL,
	"version" integer NOT NULL,
	"terms" jsonb NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"published_at" timestamp (3) with time zone,
	CONSTRAINT "plan_versions_plan_id_version_pk" PRIMARY KEY("plan_id","version")
);
--> statement-breakpoint
CREATE TABLE "plans" (
	"id" text PRIMARY KEY NOT NULL,
	"node" text NOT NULL,
	"name" text NOT NULL,
	"offered" boolean NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "subscription_plans" (
	"subscription_id" text NOT NULL,
	"valid_from" timestamp (3) with time zone NOT NULL,
	"plan_id" text NOT NULL,
	"version" integer NOT NULL,
	CONSTRAINT "subscription_plans_subscription_id_valid_from_pk" PRIMARY KEY("subscription_id","valid_from")
);
--> statement-breakpoint
CREATE TABLE "subscriptions" (
	"id" text PRIMARY KEY NOT NULL,
	"node" text NOT NULL,
	"anchor" integer NOT NULL,
	"tz" text NOT NULL,
	"starts_at" timestamp (3) with time zone NOT NULL,
	"trial_ends_at" timestamp (3) with time zone,
	"expires_at" timestamp (3) with time zone,
	"renews" boolean NOT NULL,
	"cancelled_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "plan_versions" ADD CONSTRAINT "plan_versions_plan_id_plans_id_fk" FOREIGN KEY ("plan_id") REFERENCES "public"."plans"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "plans" ADD CONSTRAINT "plans_node_nodes_node_fk" FOREIGN KEY ("node") REFERENCES "public"."nodes"("node") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscription_plans" ADD CONSTRAINT "subscription_plans_subscription_id_subscriptions_id_fk" FOREIGN KEY ("subscription_id") REFERENCES "public"."subscriptions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscription_plans" ADD CONSTRAINT "subscription_plans_plan_id_plans_id_fk" FOREIGN KEY ("plan_id") REFERENCES "public"."plans"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_node_nodes_node_fk" FOREIGN KEY ("node") REFERENCES "public"."nodes"("node") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "plan_versions_one_draft" ON "plan_versions" USING btree ("plan_id") WHERE "plan_versions"."published_at" IS NULL;--> statement-breakpoint
CREATE INDEX "subscription_plans_plan" ON "subscription_plans" USING btree ("plan_id");--> statement-breakpoint
CREATE INDEX "subscriptions_node" ON "subscriptions" USING btree ("node","starts_at");