/** The tables of signing in with passkeys; see server/identity/passkeys.ts. */
import { sql } from "drizzle-orm";
import { bigint, check, customType, index, pgTable, smallint, text } from "drizzle-orm/pg-core";
import { users } from "./accounts.ts";
import { instant } from "./columns.ts";

const bytes = customType<{ data: Buffer }>({ dataType: () => "bytea" });

export const passkeys = pgTable(
  "passkeys",
  {
    id: text("id").primaryKey(),
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    /** The authenticator's name for it, base64url: one credential opens one account. */
    credentialId: text("credential_id").notNull().unique(),
    /** COSE. */
    publicKey: bytes("public_key").notNull(),
    /** The authenticator's count of signatures as of the last sign-in; 0 for ever where it does not count. */
    counter: bigint("counter", { mode: "number" }).notNull(),
    /** How browsers reach the authenticator, such as `internal` or `usb`. */
    transports: text("transports").array().notNull(),
    name: text("name").notNull(),
    createdAt: instant("created_at").notNull().defaultNow(),
    lastUsedAt: instant("last_used_at"),
  },
  (table) => [index("passkeys_user").on(table.userId)],
);

/** What challenges are signed with by every process: one row, made when the first is needed. */
export const challengeSecret = pgTable(
  "challenge_secret",
  { only: smallint("only").primaryKey().default(1), secret: text("secret").notNull() },
  (table) => [check("challenge_secret_one_row", sql`${table.only} = 1`)],
);

/** Challenges that carried out what they were asked for, until they would have ended anyway. */
export const usedChallenges = pgTable(
  "used_challenges",
  {
    /** sha256 in hex. */
    challengeHash: text("challenge_hash").primaryKey(),
    expiresAt: instant("expires_at").notNull(),
  },
  (table) => [index("used_challenges_expiry").on(table.expiresAt)],
);
