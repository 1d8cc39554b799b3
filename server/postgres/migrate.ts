/** Brings Postgres to the newest schema. Forward only; several processes may start at once. */
import { fileURLToPath } from "node:url";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import type pg from "pg";
import type { Postgres } from "./client.ts";

/** "tide" in ASCII: the advisory lock that lets one process migrate at a time. */
const migrationLock = 0x74696465;

/** The same place from the sources and from the built server. */
const migrationsFolder = fileURLToPath(new URL("../../server/postgres/migrations", import.meta.url));

/** Does nothing on a schema that is new already. Rejects when Postgres cannot be reached or refuses a statement. */
export async function migratePostgres(postgres: Postgres): Promise<void> {
  await whileMigrating(postgres, (client) => migrate(drizzle(client), { migrationsFolder }));
}

/** Runs `work` in one process at a time, whatever it is that is brought to a newer schema. */
export async function whileMigrating(
  postgres: Postgres,
  work: (client: pg.PoolClient) => Promise<void>,
): Promise<void> {
  const client = await postgres.pool.connect();
  try {
    await client.query("SELECT pg_advisory_lock($1)", [migrationLock]);
    await work(client);
    await client.query("SELECT pg_advisory_unlock($1)", [migrationLock]);
    client.release();
  } catch (error) {
    // The lock belongs to the connection: dropping it gives the lock back.
    client.release(true);
    throw error;
  }
}
