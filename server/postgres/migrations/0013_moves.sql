CREATE TABLE "node_moves" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "node_moves_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"node" text NOT NULL,
	"effective_at" timestamp (3) with time zone NOT NULL,
	"decided_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"rewriting" jsonb,
	"applied_at" timestamp (3) with time zone,
	"settled_at" timestamp (3) with time zone
);
--> statement-breakpoint
ALTER TABLE "node_moves" ADD CONSTRAINT "node_moves_node_nodes_node_fk" FOREIGN KEY ("node") REFERENCES "public"."nodes"("node") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "node_moves_pending" ON "node_moves" USING btree ("effective_at") WHERE "node_moves"."settled_at" IS NULL;