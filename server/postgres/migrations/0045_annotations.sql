CREATE TABLE "annotations" (
	"id" text PRIMARY KEY NOT NULL,
	"node" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"text" text NOT NULL,
	"author" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE INDEX "annotations_node" ON "annotations" USING btree ("node","at","id");