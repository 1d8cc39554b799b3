CREATE TABLE "api_keys" (
	"id" text PRIMARY KEY NOT NULL,
	"key_hash" text NOT NULL,
	"prefix" text NOT NULL,
	"name" text NOT NULL,
	"node" text NOT NULL,
	"scopes" text[] NOT NULL,
	"create_organizations" boolean NOT NULL,
	"created_by" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp (3) with time zone,
	"revoked_at" timestamp (3) with time zone,
	"last_used_at" timestamp (3) with time zone,
	CONSTRAINT "api_keys_key_hash_unique" UNIQUE("key_hash")
);
--> statement-breakpoint
CREATE TABLE "node_parents" (
	"node" text NOT NULL,
	"parent" text NOT NULL,
	"valid_from" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "node_parents_node_valid_from_pk" PRIMARY KEY("node","valid_from"),
	CONSTRAINT "node_parents_not_itself" CHECK ("node_parents"."node" <> "node_parents"."parent")
);
--> statement-breakpoint
CREATE TABLE "nodes" (
	"node" text PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"id" text NOT NULL,
	"name" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sessions" (
	"token_hash" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "users" (
	"id" text PRIMARY KEY NOT NULL,
	"email" text NOT NULL,
	"password_hash" text NOT NULL,
	"node" text NOT NULL,
	"scopes" text[] NOT NULL,
	"create_organizations" boolean NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"disabled_at" timestamp (3) with time zone,
	CONSTRAINT "users_email_unique" UNIQUE("email")
);
--> statement-breakpoint
ALTER TABLE "node_parents" ADD CONSTRAINT "node_parents_node_nodes_node_fk" FOREIGN KEY ("node") REFERENCES "public"."nodes"("node") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "node_parents" ADD CONSTRAINT "node_parents_parent_nodes_node_fk" FOREIGN KEY ("parent") REFERENCES "public"."nodes"("node") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "sessions_user" ON "sessions" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "sessions_expiry" ON "sessions" USING btree ("expires_at");