/** The registry of speech models. A model is known at its node and everywhere below it. */
import { asc, eq, inArray, or, type SQL } from "drizzle-orm";
import { type Author, recordChange } from "../audit/record-change.ts";
import { type Edit, type Editable, recordedEdit } from "../audit/recorded-edit.ts";
import { definitionLimits } from "../contract/definition-limits.ts";
import type { ChangeModel } from "../contract/models.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { newId } from "../identity/actor.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { lockedRow } from "../postgres/locked-row.ts";
import { models } from "../postgres/schema/models.ts";
import { ProblemError } from "../problem.ts";
import { checkLimit } from "../tree/check-limit.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { rowsWithin } from "../tree/rows-within.ts";

export type ModelRecord = typeof models.$inferSelect;
export type NewModel = Omit<ModelRecord, "id" | "createdAt">;

/** All that match, in the order of the ids that events carry. */
export async function listModels(db: Queries, which?: SQL): Promise<ModelRecord[]> {
  return await db.select().from(models).where(which).orderBy(asc(models.model), asc(models.node));
}

/** Those of the node and all below it, and those above it that hold for it. */
export async function listModelsAt(
  db: Queries,
  tree: Pick<NodeTree, "children" | "ancestors">,
  node: NodeAddress,
): Promise<ModelRecord[]> {
  const below = rowsWithin(models.node, [node], tree);
  return await listModels(db, below && or(below, inArray(models.node, tree.ancestors(node))));
}

export async function readModel(db: Queries, id: string): Promise<ModelRecord | undefined> {
  const [found] = await db.select().from(models).where(eq(models.id, id));
  return found;
}

const limit = { what: "models", table: models, ...definitionLimits.models };

/** Throws `conflict` where the node has one of the same name in events, or as many as it may. */
export async function createModel(
  postgres: Postgres,
  tree: Pick<NodeTree, "ancestors" | "children">,
  wanted: NewModel,
  by: Author,
): Promise<ModelRecord> {
  return await postgres.transaction(async (tx) => {
    await checkLimit(tx, tree, wanted.node, limit);
    const id = newId("mdl");
    const [made] = await tx
      .insert(models)
      .values({ ...wanted, id })
      .onConflictDoNothing()
      .returning();
    if (!made)
      throw new ProblemError("conflict", `${wanted.node} already has a model ${wanted.model}`, { field: "model" });
    await recordChange(tx, { by, node: made.node, action: "model.created", subject: id, after: stateOfModel(made) });
    return made;
  });
}

const editable: Editable<ModelRecord> = {
  lock: (tx, id) => lockedRow(tx, models, id, "model"),
  stateOf: stateOfModel,
};

export async function changeModel(
  postgres: Postgres,
  id: string,
  change: ChangeModel,
  edit: Edit,
): Promise<ModelRecord> {
  return await recordedEdit(postgres, editable, { ...edit, id, action: "model.changed" }, async (tx, before) => {
    const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
    if (Object.keys(given).length === 0) return before;
    const [after = before] = await tx.update(models).set(given).where(eq(models.id, id)).returning();
    return after;
  });
}

/** Usage under it stays, and is shown under the id that events carry. */
export async function removeModel(postgres: Postgres, id: string, edit: Edit): Promise<void> {
  await recordedEdit(postgres, editable, { ...edit, id, action: "model.removed" }, async (tx) => {
    await tx.delete(models).where(eq(models.id, id));
    return undefined;
  });
}

/** What an `ETag` of a model is made of, and what the audit keeps. */
export function stateOfModel({ node, model, name, tier, description }: ModelRecord) {
  return { node, model, name, tier, description };
}

/**
 * What the models that a node's usage names are called: its own and those above it, the nearest first; then those below it, where
 * only one has that id.
 */
export function modelsKnownAt(
  all: readonly ModelRecord[],
  node: NodeAddress,
  tree: Pick<NodeTree, "isWithin" | "ancestors">,
): ReadonlyMap<string, ModelRecord> {
  const path = tree.ancestors(node);
  const depth = (one: ModelRecord) => path.indexOf(one.node);
  const known = new Map<string, ModelRecord>();
  const ambiguous = new Set<string>();
  for (const one of all) {
    if (depth(one) < 0 && !tree.isWithin(one.node, node)) continue;
    const other = known.get(one.model);
    if (!other) known.set(one.model, one);
    else if (depth(one) < 0 && depth(other) < 0) ambiguous.add(one.model);
    else if (depth(other) < 0 || (depth(one) >= 0 && depth(one) < depth(other))) known.set(one.model, one);
  }
  for (const model of ambiguous) {
    const found = known.get(model);
    if (found && depth(found) < 0) known.delete(model);
  }
  return known;
}
