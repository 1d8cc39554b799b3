import { eq } from "drizzle-orm";
import type { PgColumn, PgTable } from "drizzle-orm/pg-core";
import { ProblemError } from "../problem.ts";
import type { Queries } from "./client.ts";

/** The row with this id, which nobody else changes until the transaction ends. Throws `not_found`; `what`: such as `rule`. */
export async function lockedRow<Table extends PgTable & { id: PgColumn }>(
  tx: Queries,
  table: Table,
  id: string,
  what: string,
): Promise<Table["$inferSelect"]> {
  const [found] = await tx
    .select()
    .from(table as PgTable)
    .where(eq(table.id, id))
    .for("update");
  if (!found) throw new ProblemError("not_found", `there is no such ${what}`);
  return found;
}
