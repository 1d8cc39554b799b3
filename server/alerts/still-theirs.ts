/**
 * Whether a mail about alerts that was written for a person is still for them. It may have waited for hours, and be resent long
 * after: what they may not see any more, and an address that they gave up, is sent nothing.
 */
import { and, eq, inArray, isNull } from "drizzle-orm";
import type { DeliveryRow } from "../delivery/outbox.ts";
import type { Postgres } from "../postgres/client.ts";
import { users } from "../postgres/schema/accounts.ts";
import { alerts } from "../postgres/schema/alerts.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { peopleWhoSee } from "./people.ts";
import { userOfMailList } from "./preferences.ts";

/** Why it is not sent; undefined where it may be sent, and for mails that are not a person's own. */
export async function whyNotToPerson(
  { postgres: { db }, tree }: { postgres: Pick<Postgres, "db">; tree: Pick<NodeTree, "ancestors" | "effectiveStatus"> },
  { list, to, message }: Pick<DeliveryRow, "list" | "to" | "message">,
): Promise<string | undefined> {
  const userId = userOfMailList(list ?? "");
  if (userId === undefined) return undefined;
  const [user] = await db
    .select({ email: users.email })
    .from(users)
    .where(and(eq(users.id, userId), isNull(users.disabledAt)));
  if (!user) return "the account was removed or switched off";
  if (user.email !== to) return "the account does not have this address any more";
  const told = [...new Set(message.alerts)];
  if (told.length === 0) return undefined;
  const rows = await db.select().from(alerts).where(inArray(alerts.id, told));
  const [person] = await peopleWhoSee(db, tree, rows, userId);
  return person?.rows.length === told.length
    ? undefined
    : "it tells of an alert that the account does not see any more";
}
