/** Views of the usage page that the people of a node share. */
import { isDeepStrictEqual } from "node:util";
import { and, asc, eq, ne } from "drizzle-orm";
import { type Author, recordChange } from "../audit/record-change.ts";
import { definitionLimits } from "../contract/definition-limits.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { ChangeView } from "../contract/views.ts";
import { newId } from "../identity/actor.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { countAlone } from "../postgres/count-alone.ts";
import { views } from "../postgres/schema/views.ts";
import { ProblemError } from "../problem.ts";
import { checkLimit } from "../tree/check-limit.ts";
import type { NodeTree } from "../tree/node-tree.ts";

export type ViewRecord = typeof views.$inferSelect;

/** `check` throws where the view is not what the caller saw. */
interface Edit {
  by: Author;
  check: (current: unknown) => void;
}

const limit = { what: "views", table: views, ...definitionLimits.views };

/** Those of the node itself, by name. */
export async function listViews(db: Queries, node: NodeAddress): Promise<ViewRecord[]> {
  return await db.select().from(views).where(eq(views.node, node)).orderBy(asc(views.name));
}

export async function readView(db: Queries, id: string): Promise<ViewRecord | undefined> {
  const [found] = await db.select().from(views).where(eq(views.id, id));
  return found;
}

/** Throws `conflict` where the node has one by that name, or as many as it may. */
export async function createView(
  postgres: Postgres,
  tree: Pick<NodeTree, "ancestors" | "children">,
  wanted: Pick<ViewRecord, "node" | "name" | "query"> & Partial<Pick<ViewRecord, "panels">>,
  by: Author,
): Promise<ViewRecord> {
  return await postgres.transaction(async (tx) => {
    await nameAlone(tx, wanted.node);
    await checkLimit(tx, tree, wanted.node, limit);
    const id = newId("view");
    const [made] = await tx
      .insert(views)
      .values({ ...wanted, id })
      .onConflictDoNothing({ target: [views.node, views.name] })
      .returning();
    if (!made) throw nameIsTaken(wanted);
    await recordChange(tx, { by, node: made.node, action: "view.created", subject: id, after: stateOfView(made) });
    return made;
  });
}

/** Throws `conflict` where another one of the node has the name. */
export async function changeView(
  postgres: Postgres,
  id: string,
  edits: ChangeView,
  { by, check }: Edit,
): Promise<ViewRecord> {
  return await postgres.transaction(async (tx) => {
    const before = await lockedView(tx, id);
    check(stateOfView(before));
    const { name = before.name, query = before.query, panels = before.panels } = edits;
    if (isDeepStrictEqual(stateOfView({ ...before, name, query, panels }), stateOfView(before))) return before;
    await nameAlone(tx, before.node);
    const [other] = await tx
      .select({ id: views.id })
      .from(views)
      .where(and(eq(views.node, before.node), eq(views.name, name), ne(views.id, id)));
    if (other) throw nameIsTaken({ node: before.node, name });
    const [after] = await tx.update(views).set({ name, query, panels }).where(eq(views.id, id)).returning();
    if (!after) throw noSuchView();
    const change = { before: stateOfView(before), after: stateOfView(after) };
    await recordChange(tx, { by, node: after.node, action: "view.changed", subject: id, ...change });
    return after;
  });
}

export async function removeView(postgres: Postgres, id: string, { by, check }: Edit): Promise<void> {
  await postgres.transaction(async (tx) => {
    const before = await lockedView(tx, id);
    check(stateOfView(before));
    await tx.delete(views).where(eq(views.id, id));
    await recordChange(tx, {
      by,
      node: before.node,
      action: "view.removed",
      subject: id,
      before: stateOfView(before),
    });
  });
}

/** What an `ETag` of a view is made of, and what the audit keeps. */
export function stateOfView({ node, name, query, panels }: ViewRecord) {
  return { node, name, query, panels };
}

export const noSuchView = () => new ProblemError("not_found", "there is no such view");

/** Nobody else gives a view of the node a name until the transaction ends. */
const nameAlone = (tx: Queries, node: NodeAddress) => countAlone(tx, `names of views of ${node}`);

const nameIsTaken = ({ node, name }: Pick<ViewRecord, "node" | "name">) =>
  new ProblemError("conflict", `${node} already has a view ${name}`, { field: "name" });

async function lockedView(tx: Queries, id: string): Promise<ViewRecord> {
  const [found] = await tx.select().from(views).where(eq(views.id, id)).for("update");
  if (!found) throw noSuchView();
  return found;
}
