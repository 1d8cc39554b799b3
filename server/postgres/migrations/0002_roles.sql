CREATE TABLE "user_roles" (
	"user_id" text NOT NULL,
	"node" text NOT NULL,
	"role" text NOT NULL,
	CONSTRAINT "user_roles_user_id_node_role_pk" PRIMARY KEY("user_id","node","role")
);
--> statement-breakpoint
ALTER TABLE "api_keys" ADD COLUMN "see_prices" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "user_roles" ADD CONSTRAINT "user_roles_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "user_roles_node" ON "user_roles" USING btree ("node");--> statement-breakpoint
INSERT INTO "user_roles" ("user_id", "node", "role") SELECT "id", "node", CASE WHEN "scopes" @> '{admin}' THEN 'owner' ELSE 'viewer' END FROM "users";--> statement-breakpoint
UPDATE "api_keys" SET "see_prices" = true WHERE "scopes" @> '{admin}';--> statement-breakpoint
ALTER TABLE "users" DROP COLUMN "node";--> statement-breakpoint
ALTER TABLE "users" DROP COLUMN "scopes";--> statement-breakpoint
ALTER TABLE "users" DROP COLUMN "create_organizations";