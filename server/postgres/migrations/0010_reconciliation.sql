CREATE TABLE "rebuilds" (
	"id" text PRIMARY KEY NOT NULL,
	"stage" text NOT NULL,
	"organization" text,
	"node" text NOT NULL,
	"path" text[] NOT NULL,
	"from" date,
	"to" date,
	"actor_name" text NOT NULL,
	"requested_at" timestamp (3) with time zone NOT NULL,
	"pieces" integer,
	"pieces_done" integer DEFAULT 0 NOT NULL,
	"last_piece" text,
	"repaired" integer DEFAULT 0 NOT NULL,
	"finished_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "reconciliations" (
	"id" text PRIMARY KEY NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"node" text NOT NULL,
	"path" text[] NOT NULL,
	"organization" text,
	"day" date NOT NULL,
	"stage" text NOT NULL,
	"differences" integer NOT NULL,
	"subject" text NOT NULL,
	"expected" text NOT NULL,
	"found" text NOT NULL,
	"repaired_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE INDEX "rebuilds_unfinished" ON "rebuilds" USING btree ("requested_at") WHERE "rebuilds"."finished_at" IS NULL;--> statement-breakpoint
CREATE INDEX "reconciliations_at" ON "reconciliations" USING btree ("at","id");--> statement-breakpoint
CREATE INDEX "reconciliations_unrepaired" ON "reconciliations" USING btree ("at") WHERE "reconciliations"."repaired_at" IS NULL;