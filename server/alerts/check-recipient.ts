/**
 * Whether a mail about alerts that was written for a person is still for them. It may have waited for hours, and be resent long
 * after: what they may not see any more, and an address that they gave up, is sent nothing.
 */
import { and, eq, isNull, sql } from "drizzle-orm";
import { alertsOf } from "../delivery/message-parts.ts";
import type { DeliveryRow } from "../delivery/outbox.ts";
import type { Postgres } from "../postgres/client.ts";
import { users } from "../postgres/schema/accounts.ts";
import { alerts } from "../postgres/schema/alerts.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { recipientsOf } from "./people.ts";
import { userOfMailList } from "./preferences.ts";

/** Why it is not sent at all; undefined where it may be sent, and for mails that are not a person's own. */
export async function refusalOfPerson(
  { postgres: { db } }: { postgres: Pick<Postgres, "db"> },
  { list, to }: Pick<DeliveryRow, "list" | "to">,
): Promise<string | undefined> {
  const userId = userOfMailList(list ?? "");
  if (userId === undefined) return undefined;
  const [user] = await db
    .select({ email: users.email })
    .from(users)
    .where(and(eq(users.id, userId), isNull(users.disabledAt)));
  if (!user) return "the account was deleted or disabled";
  return user.email === to ? undefined : "the account no longer has this address";
}

/** The ids of those alerts in a person's own mail that they may not see any more. */
export async function unseenByPerson(
  { postgres: { db }, tree }: { postgres: Pick<Postgres, "db">; tree: Pick<NodeTree, "ancestors" | "effectiveStatus"> },
  { list, message }: Pick<DeliveryRow, "list" | "message">,
): Promise<ReadonlySet<string>> {
  const userId = userOfMailList(list ?? "");
  const remaining = new Set(alertsOf(message));
  if (userId === undefined || remaining.size === 0) return new Set();
  const rows = await db
    .select({ id: alerts.id, node: alerts.node, kind: alerts.kind, owners: alerts.owners })
    .from(alerts)
    .where(sql`${alerts.id} = ANY(${sql.param([...remaining])}::text[])`);
  const [person] = await recipientsOf(db, tree, rows, userId);
  for (const { id } of person?.rows ?? []) remaining.delete(id);
  return remaining;
}
