CREATE TABLE "installation_secrets" (
	"only" smallint PRIMARY KEY DEFAULT 1 NOT NULL,
	"entity_tags" text NOT NULL,
	CONSTRAINT "installation_secrets_one_row" CHECK ("installation_secrets"."only" = 1)
);
--> statement-breakpoint
INSERT INTO "installation_secrets" ("entity_tags") VALUES (gen_random_uuid()::text || gen_random_uuid()::text);
