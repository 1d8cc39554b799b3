/** Answers to writes that named an `Idempotency-Key`, for a day; see server/http/idempotency.ts. */

import { sql } from "drizzle-orm";
import { customType, index, integer, jsonb, pgTable, text } from "drizzle-orm/pg-core";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { instant } from "./columns.ts";

const bytes = customType<{ data: Buffer }>({ dataType: () => "bytea" });

/** The statuses of answers that carried out what was asked. */
export type KeptStatus = ContentfulStatusCode | 204;

export const idempotencyKeys = pgTable(
  "idempotency_keys",
  {
    /** sha256 in hex of caller and key; the key itself, which opens the answer, is kept nowhere. */
    keyHash: text("key_hash").primaryKey(),
    /** sha256 in hex of method, path, query and body. */
    requestHash: text("request_hash").notNull(),
    /** Who used the key: `user ID` or `key ID`, and the node right below the root that they belong to. */
    caller: text("caller").notNull().default(""),
    tenant: text("tenant").notNull().default(""),
    /** Names one attempt to carry the request out: who lost the key to another changes nothing any more. */
    claim: text("claim").notNull().default(""),
    /** When it was last said that the request is carried out. */
    claimedAt: instant("claimed_at").notNull(),
    /** Null while the request runs. */
    status: integer("status").$type<KeptStatus>(),
    headers: jsonb("headers").$type<Record<string, string>>(),
    /** Sealed with a key made of the idempotency key: an answer may hold a new API key. */
    body: bytes("body"),
    /** Length of `body`. */
    bytes: integer("bytes").notNull().default(0),
  },
  (table) => [
    index("idempotency_keys_claimed").on(table.claimedAt),
    index("idempotency_keys_running").on(table.claimedAt).where(sql`${table.status} IS NULL`),
    // What is counted by it reads no answers.
    index("idempotency_keys_made").on(table.caller, table.tenant, table.bytes),
  ],
);
