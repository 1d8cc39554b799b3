/** The tables of the account tree and of who may use it. `npx drizzle-kit generate --config server/postgres/drizzle.config.ts` writes a migration from a change in this folder. */
import { sql } from "drizzle-orm";
import { bigint, boolean, check, index, integer, jsonb, pgTable, primaryKey, text, unique } from "drizzle-orm/pg-core";
import type { Action, KeyScope, Role, RoleAt } from "../../contract/accounts.ts";
import type { Branding, NodeFields, NodeStatus } from "../../contract/nodes.ts";
import { instant } from "./columns.ts";

/** The account tree. Agents have no row: they exist as soon as their organization does. */
export const nodes = pgTable("nodes", {
  node: text("node").primaryKey(),
  kind: text("kind").$type<"all" | "partner" | "reseller" | "organization">().notNull(),
  id: text("id").notNull(),
  name: text("name").notNull(),
  /** What the owner's other systems call it. */
  externalId: text("external_id"),
  status: text("status").$type<NodeStatus>().notNull().default("active"),
  fields: jsonb("fields").$type<NodeFields>().notNull().default({}),
  createdAt: instant("created_at").notNull().defaultNow(),
});

/** How reports of a node and of those below it look, and how long they are kept; what is null is as above it. */
export const nodeReportSettings = pgTable("node_report_settings", {
  node: text("node")
    .primaryKey()
    .references(() => nodes.node, { onDelete: "cascade" }),
  branding: jsonb("branding").$type<Branding>(),
  keptDays: integer("kept_days"),
});

/** Under which parent a node stood from `valid_from` on, until its next row. The first row is valid since 1970. */
export const nodeParents = pgTable(
  "node_parents",
  {
    node: text("node")
      .notNull()
      .references(() => nodes.node),
    parent: text("parent")
      .notNull()
      .references(() => nodes.node),
    validFrom: instant("valid_from").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.node, table.validFrom] }),
    check("node_parents_not_itself", sql`${table.node} <> ${table.parent}`),
  ],
);

/**
 * What was decided about places, until every figure follows it. `node_parents` says where nodes stand; this says since when
 * storage may not know it yet.
 */
export const nodeMoves = pgTable(
  "node_moves",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    node: text("node")
      .notNull()
      .references(() => nodes.node),
    effectiveAt: instant("effective_at").notNull(),
    decidedAt: instant("decided_at").notNull().defaultNow(),
    /** Days whose counters have to follow their events, while these are rewritten. */
    rewriting: jsonb("rewriting").$type<{ day: string; misplaced: string[] }[]>(),
    /** Since then figures follow it, except events that a process accepted before it knew of the move. */
    appliedAt: instant("applied_at"),
    settledAt: instant("settled_at"),
  },
  (table) => [index("node_moves_pending").on(table.effectiveAt).where(sql`${table.settledAt} IS NULL`)],
);

export const users = pgTable("users", {
  id: text("id").primaryKey(),
  /** Lower case, so that one address is one account. */
  email: text("email").notNull().unique(),
  name: text("name"),
  /** Null for who signs in by other ways, or has not come yet. */
  passwordHash: text("password_hash"),
  /** Since when it is known that the account is of whom the address is: by a mailed link, or by an identity provider. */
  emailVerifiedAt: instant("email_verified_at"),
  /** Base32; in force since `totp_since`. */
  totpSecret: text("totp_secret"),
  totpSince: instant("totp_since"),
  /** The 30-second step of the last code taken: none is taken twice. */
  totpLastStep: bigint("totp_last_step", { mode: "number" }),
  /** sha256 in hex of the codes that are left. */
  recoveryHashes: text("recovery_hashes").array(),
  createdAt: instant("created_at").notNull().defaultNow(),
  disabledAt: instant("disabled_at"),
});

/** What a user is, where: each role holds at its node and everywhere below it. */
export const userRoles = pgTable(
  "user_roles",
  {
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    node: text("node").notNull(),
    role: text("role").$type<Role>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.node, table.role] }), index("user_roles_node").on(table.node)],
);

/** What somebody may do, and where, as it was when something was shown to them. */
export interface RightsAt {
  node: string;
  actions: Action[];
}

/** What a mail carries; one of each purpose a user. */
export const userTokens = pgTable(
  "user_tokens",
  {
    /** sha256 in hex. */
    tokenHash: text("token_hash").primaryKey(),
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    purpose: text("purpose").$type<"invitation" | "password_reset">().notNull(),
    /** The rights of whom the link was shown to; null where a mail alone has it. */
    shownTo: jsonb("shown_to").$type<RightsAt[]>(),
    expiresAt: instant("expires_at").notNull(),
  },
  (table) => [unique("user_tokens_user_purpose").on(table.userId, table.purpose)],
);

/** Roles that wait until whose address it is accepts them; see server/identity/role-offers.ts. */
export const roleOffers = pgTable(
  "role_offers",
  {
    /** As a user's: who accepts without an account yet has it from then on. */
    id: text("id").primaryKey(),
    /** Lower case. There may be an account with it or not. */
    email: text("email").notNull(),
    /** As who offers calls them. */
    name: text("name"),
    roles: jsonb("roles").$type<RoleAt[]>().notNull(),
    offeredBy: jsonb("offered_by").$type<{ kind: string; id: string; name: string }>().notNull(),
    /** sha256 in hex. */
    tokenHash: text("token_hash").notNull().unique(),
    /** The rights of whom the link was shown to; null where a mail alone has it. */
    shownTo: jsonb("shown_to").$type<RightsAt[]>(),
    createdAt: instant("created_at").notNull().defaultNow(),
    expiresAt: instant("expires_at").notNull(),
  },
  (table) => [index("role_offers_email").on(table.email)],
);

export const signInSessions = pgTable(
  "sessions",
  {
    /** sha256 in hex of the token that the browser holds; the token itself is kept nowhere. */
    tokenHash: text("token_hash").primaryKey(),
    /** To name a session by, where its token is not known. */
    id: text("id").notNull().unique().default(sql`gen_random_uuid()::text`),
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    /** The address of the sign-in, to recognise the session by. */
    address: text("address"),
    userAgent: text("user_agent"),
    createdAt: instant("created_at").notNull().defaultNow(),
    expiresAt: instant("expires_at").notNull(),
  },
  (table) => [index("sessions_user").on(table.userId), index("sessions_expiry").on(table.expiresAt)],
);

/** From where people signed in: a browser or a network, as sha256; see server/identity/sign-in-limits.ts. */
export const signInPlaces = pgTable(
  "sign_in_places",
  {
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    place: text("place").notNull(),
    lastUsedAt: instant("last_used_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.place] }), index("sign_in_places_use").on(table.lastUsedAt)],
);

export const apiKeys = pgTable("api_keys", {
  id: text("id").primaryKey(),
  /** sha256 in hex of the key. */
  keyHash: text("key_hash").notNull().unique(),
  prefix: text("prefix").notNull(),
  name: text("name").notNull(),
  node: text("node").notNull(),
  scopes: text("scopes").array().$type<KeyScope[]>().notNull(),
  createOrganizations: boolean("create_organizations").notNull(),
  seePrices: boolean("see_prices").notNull().default(false),
  /** Id of the user or key that made it; null for the root key. */
  createdBy: text("created_by"),
  createdAt: instant("created_at").notNull().defaultNow(),
  expiresAt: instant("expires_at"),
  revokedAt: instant("revoked_at"),
  lastUsedAt: instant("last_used_at"),
  /** From where, at `lastUsedAt`. */
  lastUsedAddress: text("last_used_address"),
});
