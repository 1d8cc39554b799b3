/**
 * What changed since an entry of the audit: whoever holds rows in memory reads only those again, and not all tenants' rows for a
 * change of one.
 */
import { gt } from "drizzle-orm";
import type { Queries } from "../postgres/client.ts";
import { auditEntries } from "../postgres/schema/audit.ts";

/** More changes than this are not looked at one by one. */
const maxChanges = 1_000;

/** Ids of what changed, by the noun of the entries. */
export type Changes = ReadonlyMap<string, readonly string[]>;

/** `after`: the sequence of the last entry that is known. Undefined where it is more than can be looked at one by one. */
export async function changesSince(tx: Queries, after: number): Promise<Changes | undefined> {
  const entries = await tx
    .select({ action: auditEntries.action, subject: auditEntries.subject })
    .from(auditEntries)
    .where(gt(auditEntries.sequence, after))
    .limit(maxChanges + 1);
  if (entries.length > maxChanges) return undefined;
  const changed = new Map<string, Set<string>>();
  for (const { action, subject } of entries) {
    const [noun = ""] = action.split(".", 1);
    changed.set(noun, (changed.get(noun) ?? new Set()).add(subject));
  }
  return new Map([...changed].map(([noun, subjects]) => [noun, [...subjects]]));
}

/** `known` with the rows of `ids` as they are now, the others being the same objects; without `known` all rows. */
export async function readById<Row>(
  known: ReadonlyMap<string, Row> | undefined,
  ids: readonly string[] | undefined,
  read: (ids: readonly string[] | undefined) => Promise<[string, Row][]>,
): Promise<ReadonlyMap<string, Row>> {
  if (!known) return new Map(await read(undefined));
  if (!ids) return known;
  const found = new Map(await read(ids));
  const rows = new Map(known);
  for (const id of ids) if (!found.has(id)) rows.delete(id);
  for (const [id, row] of found) rows.set(id, row);
  return rows;
}
