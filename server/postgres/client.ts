/**
 * The only door to Postgres. Connections that die (a restart, a failover, a kill) are replaced by themselves: the
 * queries in flight fail with an error that `isPostgresUnavailable` knows, later ones get a new connection.
 */
import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import pg from "pg";
import { parseJson } from "../json/parse-json.ts";
import { Notices } from "./notices.ts";

/** Without drizzle's own `transaction`: when its BEGIN fails, the pool has lost a connection for ever. */
export type Queries = Omit<NodePgDatabase, "transaction">;

export interface Postgres {
  pool: pg.Pool;
  db: Queries;
  /**
   * Runs `work` in one transaction and commits when it resolves; a snapshot reads everything as of one instant. When
   * this rejects nothing was changed, except where the connection broke during the commit: then that is unknown.
   */
  transaction<T>(work: (tx: Queries) => Promise<T>, kind?: "write" | "snapshot"): Promise<T>;
  notices: Notices;
  /** Waits for running queries, then closes every connection. */
  close(): Promise<void>;
}

const jsonTypes = [pg.types.builtins.JSON, pg.types.builtins.JSONB];
for (const type of jsonTypes) pg.types.setTypeParser(type, (text) => parseJson(text));

/** Longer waits would hold a request until its client has given up. */
const connectTimeoutMs = 5_000;
const statementTimeoutMs = 30_000;

/** `unavailable`: no answer or not now; `refused`: an error of the statement. Not called for what was rolled back otherwise. */
type OnFailed = (outcome: "unavailable" | "refused") => void;

/** Connects on first use: this never fails itself. */
export function connectPostgres(url: string, onFailed: OnFailed = () => undefined): Postgres {
  const settings = {
    connectionString: url,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    application_name: "tidemark",
  };
  const pool = new pg.Pool({
    ...settings,
    max: 10,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + 1_000,
  });
  // Without listeners an idle connection that dies would end the process; the pool has already dropped it.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  const noteFailure = (error: unknown) => {
    if (isPostgresUnavailable(error)) onFailed("unavailable");
    else if (error instanceof pg.DatabaseError) onFailed("refused");
  };
  const query = pool.query;
  // Queries with a callback are not noted: nothing here makes any.
  Object.defineProperty(pool, "query", {
    value: (...args: unknown[]) => {
      const result: unknown = Reflect.apply(query, pool, args);
      if (result instanceof Promise) result.catch(noteFailure);
      return result;
    },
  });
  const notices = new Notices(() => new pg.Client(settings));
  return {
    pool,
    db: drizzle(pool),
    transaction: (work, kind = "write") => {
      const result = runTransaction(pool, begin[kind], work);
      result.catch(noteFailure);
      return result;
    },
    notices,
    async close() {
      await notices.close();
      await pool.end();
    },
  };
}

const begin = { write: "BEGIN", snapshot: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" } as const;

async function runTransaction<T>(pool: pg.Pool, begin: string, work: (tx: Queries) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query(begin);
    const result = await work(drizzle(client));
    await client.query("COMMIT");
    client.release();
    return result;
  } catch (error) {
    // A connection that cannot even roll back is of no more use; without it Postgres rolls back by itself.
    await client.query("ROLLBACK").then(
      () => client.release(),
      () => client.release(true),
    );
    throw error;
  }
}

const unavailableCodes: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ENOENT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);
/** Connection exceptions (08), resources (53), the operator's interventions such as shutdown and statement time-out (57). */
const unavailableClasses: ReadonlySet<string> = new Set(["08", "53", "57"]);
/** What pg says, without a code, when the connection ends under a query or cannot be had in time. */
const unavailableMessages =
  /^(?:Connection terminated|Client has encountered a connection error|Query read timeout|timeout exceeded when trying to connect|Cannot use a pool after calling end)/;

/** Whether the database could not be asked, so that asking again later may help; looks through wrapping errors. */
export function isPostgresUnavailable(error: unknown): boolean {
  for (let current = error, depth = 0; current instanceof Error && depth < 5; current = current.cause, depth++) {
    const code = "code" in current && typeof current.code === "string" ? current.code : "";
    if (unavailableCodes.has(code) || unavailableMessages.test(current.message)) return true;
    if (current instanceof pg.DatabaseError && unavailableClasses.has(code.slice(0, 2))) return true;
    if (current instanceof AggregateError && current.errors.some(isPostgresUnavailable)) return true;
  }
  return false;
}
