/** Notes that people of a node keep at instants of its usage. */
import { and, desc, eq, gte, lt, or, sql } from "drizzle-orm";
import { type Author, recordChange } from "../audit/record-change.ts";
import { type Edit, recordedEdit } from "../audit/recorded-edit.ts";
import type { ChangeAnnotation } from "../contract/annotations.ts";
import { definitionLimits } from "../contract/definition-limits.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { newId } from "../identity/actor.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { annotations } from "../postgres/schema/annotations.ts";
import { ProblemError } from "../problem.ts";
import { checkLimit } from "../tree/check-limit.ts";
import type { NodeTree } from "../tree/node-tree.ts";

export type AnnotationRecord = typeof annotations.$inferSelect;

const limit = { what: "annotations", table: annotations, ...definitionLimits.annotations };

/** Those of the node itself with an instant in the range (ms since 1970, UTC, `toMs` exclusive), the latest first. */
export async function listAnnotations(
  db: Queries,
  {
    node,
    writtenWithin,
    fromMs,
    toMs,
    after,
    max,
  }: {
    node: NodeAddress;
    /** Those alone that were written in one of these spans (ms since 1970, UTC, half-open). */
    writtenWithin: readonly { fromMs: number; toMs: number }[];
    fromMs: number | undefined;
    toMs: number | undefined;
    /** The last one of the page before. */
    after: { atMs: number; id: string } | undefined;
    max: number;
  },
): Promise<AnnotationRecord[]> {
  const { at, id, createdAt } = annotations;
  const written = writtenWithin.map((span) =>
    and(gte(createdAt, new Date(span.fromMs)), lt(createdAt, new Date(span.toMs))),
  );
  const afterAt = after && new Date(after.atMs);
  return await db
    .select()
    .from(annotations)
    .where(
      and(
        eq(annotations.node, node),
        written.length === 0 ? sql`false` : or(...written),
        fromMs === undefined ? undefined : gte(at, new Date(fromMs)),
        toMs === undefined ? undefined : lt(at, new Date(toMs)),
        after && afterAt && or(lt(at, afterAt), and(eq(at, afterAt), lt(id, after.id))),
      ),
    )
    .orderBy(desc(at), desc(id))
    .limit(max);
}

export async function readAnnotation(db: Queries, id: string): Promise<AnnotationRecord | undefined> {
  const [found] = await db.select().from(annotations).where(eq(annotations.id, id));
  return found;
}

/** Throws `conflict` where the node, or its tenant, has as many as it may. */
export async function createAnnotation(
  postgres: Postgres,
  tree: Pick<NodeTree, "ancestors" | "children">,
  { node, at, text }: { node: NodeAddress; at: string; text: string },
  by: Author,
): Promise<AnnotationRecord> {
  return await postgres.transaction(async (tx) => {
    await checkLimit(tx, tree, node, limit);
    const id = newId("ann");
    const [made] = await tx
      .insert(annotations)
      .values({ id, node, at: new Date(at), text, author: by.name })
      .returning();
    if (!made) throw new Error("the annotation was not inserted");
    const after = stateOfAnnotation(made);
    await recordChange(tx, { by, node, action: "annotation.created", subject: id, after });
    return made;
  });
}

export async function changeAnnotation(
  postgres: Postgres,
  id: string,
  { at, text }: ChangeAnnotation,
  edit: Edit,
): Promise<AnnotationRecord> {
  return await recordedEdit(postgres, editable, { ...edit, id, action: "annotation.changed" }, async (tx, before) => {
    const changed = { at: at === undefined ? before.at : new Date(at), text: text ?? before.text };
    const [after] = await tx.update(annotations).set(changed).where(eq(annotations.id, id)).returning();
    if (!after) throw noSuchAnnotation();
    return after;
  });
}

export async function removeAnnotation(postgres: Postgres, id: string, edit: Edit): Promise<void> {
  await recordedEdit(postgres, editable, { ...edit, id, action: "annotation.removed" }, async (tx) => {
    await tx.delete(annotations).where(eq(annotations.id, id));
    return undefined;
  });
}

/** What an `ETag` of an annotation is made of, and what the audit keeps. */
export function stateOfAnnotation({ node, at, text }: AnnotationRecord) {
  return { node, at: at.toISOString(), text };
}

export const noSuchAnnotation = () => new ProblemError("not_found", "there is no such annotation");

const editable = { lock: lockedAnnotation, stateOf: stateOfAnnotation };

async function lockedAnnotation(tx: Queries, id: string): Promise<AnnotationRecord> {
  const [found] = await tx.select().from(annotations).where(eq(annotations.id, id)).for("update");
  if (!found) throw noSuchAnnotation();
  return found;
}
