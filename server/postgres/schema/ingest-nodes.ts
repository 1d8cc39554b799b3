/** Which processes take events together, which of them owns what, and which derives. Instants are of Postgres' clock. */
import { bigint, doublePrecision, integer, pgTable, smallint, text } from "drizzle-orm/pg-core";
import { instant } from "./columns.ts";

/** One row: who may ingest into these stores. */
export const ingestStores = pgTable("ingest_stores", {
  only: integer("only").primaryKey(),
  /** ClickHouse keeps the same: events of one installation are in no other's storage. */
  installation: text("installation").notNull(),
  /** `none`: whoever comes first; everything that was acknowledged is stored. */
  mode: text("mode", { enum: ["none", "single", "cluster"] }).notNull(),
  /** For a cluster: shows whether a secret is the cluster's without holding it; null until the first node joins. */
  secretProof: text("secret_proof"),
  /** For a single process: the name, data folder, host and start of the one that ingests. */
  node: text("node"),
  folder: text("folder"),
  host: text("host"),
  process: text("process"),
  heartbeatAt: instant("heard_at"),
  /** As of its last heartbeat: everything it accepted up to then is visible. */
  watermark: instant("watermark"),
  /** As of its last heartbeat: how full its log is, from 0 to 1. */
  backlogShare: doublePrecision("backlog_share").notNull().default(0),
});

export const ingestNodes = pgTable("ingest_nodes", {
  name: text("name").primaryKey(),
  /** Identifies the data folder with the node's log, and so two processes with one name. */
  folder: text("folder").notNull(),
  /** Where the process runs: on one machine a folder has one process, over several it might have two. */
  host: text("host").notNull().default(""),
  /** New at each start. */
  process: text("process").notNull().default(""),
  /** Where the others reach it. */
  url: text("url").notNull(),
  /** Its numbers (batch ids, versions) leave this rest, so that no two nodes give the same. */
  nodeNumber: smallint("slot").notNull().unique(),
  heartbeatAt: instant("heard_at").notNull(),
  /** Not null: it has stopped with nothing left in its log, and owns nothing that others may not take. */
  leftAt: instant("left_at"),
  /** As of its last heartbeat: everything it accepted up to then is visible; nothing more will be stored under this batch. */
  watermark: instant("watermark").notNull(),
  /** As of its last heartbeat: what its own log held up to then is visible. What it keeps for other nodes is not counted. */
  storedUntil: instant("stored_until").notNull(),
  settledBatch: bigint("settled_batch", { mode: "number" }).notNull(),
  /** As of its last heartbeat: how full its log is, from 0 to 1. */
  backlogShare: doublePrecision("backlog_share").notNull().default(0),
  /** The largest number it had given. */
  lastNumber: bigint("last_number", { mode: "number" }).notNull(),
});

/** One row. */
export const ingestCluster = pgTable("ingest_cluster", {
  only: integer("only").primaryKey(),
  /** The name of the node that owns each partition of the organizations. */
  owners: text("owners").array().notNull(),
  /** Grows with every change of `owners` and every node that joins. */
  version: integer("version").notNull(),
  /** The one node that derives levels, until when at least, and how many did before it. */
  materializer: text("deriver"),
  materializerUntil: instant("deriver_until").notNull(),
  epoch: bigint("term", { mode: "number" }).notNull(),
  /** As of the materializer's last heartbeat: derivations with this version or a later one may not have ended. */
  unfinishedSince: bigint("unfinished_since", { mode: "number" }),
});
