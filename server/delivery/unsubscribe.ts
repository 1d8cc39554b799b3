/** Links that end a list of mails for one address. Whoever has the mail has the link; nobody can make one for another address. */
import { createHmac, timingSafeEqual } from "node:crypto";
import { and, eq, inArray, isNull, sql } from "drizzle-orm";
import type { NodeAddress } from "../contract/nodes.ts";
import { parseJson } from "../json/parse-json.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { deliveries, unsubscribed } from "../postgres/schema/delivery.ts";
import { installationSecrets } from "../postgres/schema/installation-secrets.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { tenantOf } from "../tree/tenant-of.ts";

export interface Subscription {
  /** A channel's id, or what else mail is sent for. */
  list: string;
  address: string;
}

export interface UnsubscribeLinks {
  tokenOf(subscription: Subscription): string;
  /** Undefined for anything but a token of this installation. */
  read(token: string): Subscription | undefined;
}

/** The key is derived from a secret that all processes of the installation share. */
export async function readUnsubscribeLinks({ db }: Pick<Postgres, "db">): Promise<UnsubscribeLinks> {
  const [row] = await db.select().from(installationSecrets);
  if (!row) throw new Error("the row of installation_secrets was removed");
  const key = createHmac("sha256", row.entityTags).update("unsubscribe links").digest();
  const markOf = (text: string) => createHmac("sha256", key).update(text).digest().subarray(0, 16);
  return {
    tokenOf({ list, address }) {
      const text = JSON.stringify([list, address]);
      return `${Buffer.from(text).toString("base64url")}.${markOf(text).toString("base64url")}`;
    },
    read(token) {
      const [coded = "", mark = ""] = token.split(".");
      const text = Buffer.from(coded, "base64url").toString("utf8");
      const [given, expected] = [Buffer.from(mark, "base64url"), markOf(text)];
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
      const [list, address] = parseJson(text) as [string, string];
      return { list, address };
    },
  };
}

/** A repeat changes nothing. */
export async function unsubscribe(
  { db }: Pick<Postgres, "db">,
  tree: Pick<NodeTree, "ancestors">,
  { list, address }: Subscription,
): Promise<void> {
  // A schedule may be removed by now: what was sent for it says whose it was.
  const [sent] = await db
    .select({ node: deliveries.node })
    .from(deliveries)
    .where(and(eq(deliveries.list, list), isNull(deliveries.channel), eq(deliveries.type, "report")))
    .limit(1);
  const tenant = sent ? tenantOf(sent.node, tree) : null;
  await db
    .insert(unsubscribed)
    .values({ list, address: address.toLowerCase(), tenant })
    .onConflictDoUpdate({
      target: [unsubscribed.list, unsubscribed.address],
      // Nothing may be left that was sent for it: whose it was is known from before.
      set: { tenant: sql`coalesce(excluded.tenant, ${unsubscribed.tenant})`, isCarried: false },
    });
}

/** What was carried over from the tenant's other lists comes again too. */
export async function subscribeAgain({ db }: Pick<Postgres, "db">, subscription: Subscription): Promise<void> {
  const [left] = await db.delete(unsubscribed).where(isOf(subscription)).returning();
  if (!left || left.tenant === null) return;
  const ofTenant = and(eq(unsubscribed.address, left.address), eq(unsubscribed.tenant, left.tenant));
  await db.delete(unsubscribed).where(and(ofTenant, unsubscribed.isCarried));
}

/** Addresses put on a tenant's list that have left another of its lists stay away until they themselves agree. */
export async function carryUnsubscribed(
  tx: Queries,
  { list, tenant, addresses }: { list: string; tenant: NodeAddress; addresses: readonly string[] },
): Promise<void> {
  if (addresses.length === 0) return;
  const left = addresses.map((address) => address.toLowerCase());
  await tx.execute(sql`
    INSERT INTO unsubscribed (list, address, tenant, is_carried)
    SELECT DISTINCT ${list}, address, tenant, true FROM unsubscribed
    WHERE tenant = ${tenant} AND address = ANY(${sql.param(left)}::text[])
    ON CONFLICT DO NOTHING`);
}

export async function isUnsubscribed(db: Queries, subscription: Subscription): Promise<boolean> {
  const found = await db.select().from(unsubscribed).where(isOf(subscription));
  return found.length > 0;
}

/** By list, the addresses that unsubscribed. */
export async function listUnsubscribed(db: Queries, lists: readonly string[]): Promise<Map<string, string[]>> {
  const found = await db
    .select()
    .from(unsubscribed)
    .where(inArray(unsubscribed.list, [...lists]));
  const byList = new Map<string, string[]>();
  for (const { list, address } of found) byList.set(list, [...(byList.get(list) ?? []), address].sort());
  return byList;
}

const isOf = ({ list, address }: Subscription) =>
  and(eq(unsubscribed.list, list), eq(unsubscribed.address, address.toLowerCase()));
