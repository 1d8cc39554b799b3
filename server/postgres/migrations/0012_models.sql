CREATE TABLE "models" (
	"id" text PRIMARY KEY NOT NULL,
	"node" text NOT NULL,
	"model" text NOT NULL,
	"name" text NOT NULL,
	"tier" text NOT NULL,
	"description" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "models_node_model" UNIQUE("node","model")
);
--> statement-breakpoint
ALTER TABLE "models" ADD CONSTRAINT "models_node_nodes_node_fk" FOREIGN KEY ("node") REFERENCES "public"."nodes"("node") ON DELETE no action ON UPDATE no action;