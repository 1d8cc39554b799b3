/** What is counted before something is added: two at once would both count one too few. */
import { sql } from "drizzle-orm";
import type { Queries } from "./client.ts";

/** Until the transaction ends, no other one goes on that names the same: what it counts stays as it counted it. */
export async function countAlone(tx: Queries, what: string): Promise<void> {
  await tx.execute(sql`SELECT pg_advisory_xact_lock(hashtextextended(${what}, 0))`);
}
