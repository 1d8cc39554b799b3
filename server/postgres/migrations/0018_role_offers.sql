CREATE TABLE "role_offers" (
	"id" text PRIMARY KEY NOT NULL,
	"email" text NOT NULL,
	"name" text,
	"roles" jsonb NOT NULL,
	"offered_by" jsonb NOT NULL,
	"token_hash" text NOT NULL,
	"shown_to" jsonb,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "role_offers_token_hash_unique" UNIQUE("token_hash")
);
--> statement-breakpoint
ALTER TABLE "user_tokens" ADD COLUMN "shown_to" jsonb;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "email_verified_at" timestamp (3) with time zone;--> statement-breakpoint
CREATE INDEX "role_offers_email" ON "role_offers" USING btree ("email");
--> statement-breakpoint
-- Who can sign in already, or may have through an identity provider, is taken for the owner of the address. What was never
-- used is not, and its open invitations end: they may have been shown to somebody who had no right to the whole account.
UPDATE "users" SET "email_verified_at" = "created_at" WHERE "password_hash" IS NOT NULL
	OR EXISTS (SELECT 1 FROM "passkeys" p WHERE p."user_id" = "users"."id")
	OR EXISTS (SELECT 1 FROM "sessions" s WHERE s."user_id" = "users"."id")
	OR NOT EXISTS (SELECT 1 FROM "user_tokens" t WHERE t."user_id" = "users"."id" AND t."purpose" = 'invitation' AND t."expires_at" > now());
--> statement-breakpoint
DELETE FROM "user_tokens" WHERE "purpose" = 'invitation';
