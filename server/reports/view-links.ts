/** Links that show a dashboard, read-only, to whoever has one: their making, listing and end. What one opens is shared-views.ts. */
import { and, desc, eq, gt, inArray, isNull, lte, or } from "drizzle-orm";
import { type Author, recordChange } from "../audit/record-change.ts";
import { definitionLimits } from "../contract/definition-limits.ts";
import { dayMs, minuteMs } from "../contract/durations.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { newId } from "../identity/actor.ts";
import { hashSecret, newSecret } from "../identity/credential-cache.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { viewLinks } from "../postgres/schema/view-links.ts";
import { views } from "../postgres/schema/views.ts";
import { ProblemError } from "../problem.ts";
import { checkLimit } from "../tree/check-limit.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { noSuchView, type ViewRecord } from "./saved-views.ts";

export type ViewLinkRecord = typeof viewLinks.$inferSelect;

const linkPrefix = "tml_";
const linkToken = /^tml_[\w-]{43}$/;
const useWrittenEveryMs = minuteMs;

const { ended: endedKept, ...counts } = definitionLimits.viewLinks;
const limit = { what: "links to dashboards in force", table: viewLinks, ...counts };

const isInForce = (at: Date) => and(isNull(viewLinks.revokedAt), gt(viewLinks.expiresAt, at));

/** Whoever has made it may show it as long as they have the rights. System changes make none. */
interface Maker extends Author {
  kind: "user" | "key";
}

/**
 * `token` is the only copy. Throws `not_found` where the dashboard is gone, `conflict` where the node, or its tenant, has as many as
 * it may.
 */
export async function createViewLink(
  postgres: Postgres,
  tree: Pick<NodeTree, "ancestors" | "children">,
  wanted: { view: string; node: NodeAddress; days: number },
  by: Maker,
  nowMs: number,
): Promise<{ link: ViewLinkRecord; token: string }> {
  const token = linkPrefix + newSecret();
  const now = new Date(nowMs);
  return await postgres.transaction(async (tx) => {
    const [view] = await tx.select({ id: views.id }).from(views).where(eq(views.id, wanted.view)).for("share");
    if (!view) throw noSuchView();
    await checkLimit(tx, tree, wanted.node, { ...limit, which: isInForce(now) });
    const [link] = await tx
      .insert(viewLinks)
      .values({
        id: newId("lnk"),
        view: view.id,
        node: wanted.node,
        tokenHash: hashSecret(token),
        makerKind: by.kind,
        makerId: by.id,
        makerName: by.name,
        createdAt: now,
        expiresAt: new Date(nowMs + wanted.days * dayMs),
      })
      .returning();
    if (!link) throw new Error("the link was not stored");
    await dropEnded(tx, view.id, now);
    const { id, node } = link;
    await recordChange(tx, { by, node, action: "view_link.created", subject: id, after: stateOfLink(link) });
    return { link, token };
  });
}

/** Those in force, and the newest that have ended; the newest first. */
export async function listViewLinks(db: Queries, view: string): Promise<ViewLinkRecord[]> {
  return await db
    .select()
    .from(viewLinks)
    .where(eq(viewLinks.view, view))
    .orderBy(desc(viewLinks.createdAt), desc(viewLinks.id));
}

/** Again leaves it revoked since the first time. Undefined where the dashboard has no such link. */
export async function revokeViewLink(
  postgres: Postgres,
  { view, id }: Pick<ViewLinkRecord, "view" | "id">,
  by: Author,
  nowMs: number,
): Promise<ViewLinkRecord | undefined> {
  return await postgres.transaction(async (tx) => {
    const ofView = and(eq(viewLinks.id, id), eq(viewLinks.view, view));
    const [before] = await tx.select().from(viewLinks).where(ofView).for("update");
    if (!before || before.revokedAt) return before;
    const [after] = await tx
      .update(viewLinks)
      .set({ revokedAt: new Date(nowMs) })
      .where(ofView)
      .returning();
    if (!after) return undefined;
    const change = { before: stateOfLink(before), after: stateOfLink(after) };
    await recordChange(tx, { by, node: after.node, action: "view_link.revoked", subject: id, ...change });
    return after;
  });
}

/** The link in force of a token, with its dashboard. */
export async function findViewLink(
  db: Queries,
  token: string,
  nowMs: number,
): Promise<{ link: ViewLinkRecord; view: ViewRecord } | undefined> {
  if (!linkToken.test(token)) return undefined;
  const [found] = await db
    .select({ link: viewLinks, view: views })
    .from(viewLinks)
    .innerJoin(views, eq(views.id, viewLinks.view))
    .where(and(eq(viewLinks.tokenHash, hashSecret(token)), isInForce(new Date(nowMs))));
  return found;
}

/** Writes that it was used, once a minute at most. */
export async function noteLinkUse(db: Queries, { id, lastUsedAt }: ViewLinkRecord, nowMs: number): Promise<void> {
  const written = new Date(nowMs - useWrittenEveryMs);
  if (lastUsedAt && lastUsedAt > written) return;
  const isDue = or(isNull(viewLinks.lastUsedAt), lte(viewLinks.lastUsedAt, written));
  await db
    .update(viewLinks)
    .set({ lastUsedAt: new Date(nowMs) })
    .where(and(eq(viewLinks.id, id), isDue));
}

export const noSuchLink = () => new ProblemError("not_found", "there is no such link");

/** However many links somebody makes and revokes, no more are kept than a list shows. */
async function dropEnded(tx: Queries, view: string, now: Date): Promise<void> {
  const hasEnded = or(lte(viewLinks.expiresAt, now), lte(viewLinks.revokedAt, now));
  const older = await tx
    .select({ id: viewLinks.id })
    .from(viewLinks)
    .where(and(eq(viewLinks.view, view), hasEnded))
    .orderBy(desc(viewLinks.createdAt), desc(viewLinks.id))
    .offset(endedKept);
  if (older.length === 0) return;
  const ids = older.map(({ id }) => id);
  await tx.delete(viewLinks).where(inArray(viewLinks.id, ids));
}

/** What the audit keeps. */
function stateOfLink({ view, node, expiresAt, revokedAt }: ViewLinkRecord) {
  return { view, node, expiresAt, revokedAt };
}
