/** Plans in versions: a draft is edited until it is published, a published version never changes again. */
import { and, asc, desc, eq, gt, inArray, isNull, or, sql } from "drizzle-orm";
import { type Author, recordChange } from "../audit/record-change.ts";
import { type Edit, type Editable, recordedEdit } from "../audit/recorded-edit.ts";
import { definitionLimits } from "../contract/definition-limits.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { PlanTerms } from "../contract/plans.ts";
import { newId } from "../identity/actor.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { plans, planVersions } from "../postgres/schema/plans.ts";
import { ProblemError } from "../problem.ts";
import { checkBytes, checkLimit } from "../tree/check-limit.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { rowsWithin } from "../tree/rows-within.ts";

export type PlanVersionRecord = typeof planVersions.$inferSelect;

export interface PlanRecord {
  id: string;
  node: NodeAddress;
  name: string;
  offered: boolean;
  createdAt: Date;
  /** The newest first. */
  versions: PlanVersionRecord[];
}

export interface NewPlan {
  node: NodeAddress;
  name: string;
  offered: boolean;
  terms: PlanTerms;
}

export interface PlanEdit {
  name?: string | undefined;
  offered?: boolean | undefined;
  terms?: PlanTerms | undefined;
}

/** Up to `limit` plans of these nodes and of all below them, and of those that are offered from above, the oldest first. */
export async function listPlans(
  { db }: Pick<Postgres, "db">,
  tree: Pick<NodeTree, "children" | "ancestors">,
  tops: readonly NodeAddress[],
  { after, limit }: { after: { atMs: number; id: string } | undefined; limit: number },
): Promise<PlanRecord[]> {
  const below = rowsWithin(plans.node, tops, tree);
  const above = [...new Set(tops.flatMap((top) => tree.ancestors(top)))];
  const known = below && or(below, and(plans.offered, inArray(plans.node, above)));
  const { createdAt, id } = plans;
  const at = after && new Date(after.atMs);
  const behind = after && at && or(gt(createdAt, at), and(eq(createdAt, at), gt(id, after.id)));
  const rows = await db.select().from(plans).where(and(known, behind)).orderBy(asc(createdAt), asc(id)).limit(limit);
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.id);
  const ofThese = inArray(planVersions.planId, ids);
  const versions = await db.select().from(planVersions).where(ofThese).orderBy(desc(planVersions.version));
  const versionsOf = new Map<string, PlanVersionRecord[]>(rows.map(({ id }) => [id, []]));
  for (const version of versions) versionsOf.get(version.planId)?.push(version);
  return rows.map((row) => ({ ...row, versions: versionsOf.get(row.id) ?? [] }));
}

export async function readPlan(db: Queries, id: string): Promise<PlanRecord | undefined> {
  const [row] = await db.select().from(plans).where(eq(plans.id, id));
  if (!row) return undefined;
  const versions = await db
    .select()
    .from(planVersions)
    .where(eq(planVersions.planId, id))
    .orderBy(desc(planVersions.version));
  return { ...row, versions };
}

/** With the node whose plan they are of: it is this node's meters that they name. */
export interface OwnedTerms extends PlanTerms {
  node: NodeAddress;
}

/** The terms of versions, by `ID VERSION`. */
export async function readTerms(
  db: Queries,
  wanted: readonly { planId: string; version: number }[],
): Promise<Map<string, OwnedTerms>> {
  const ids = [...new Set(wanted.map(({ planId }) => planId))];
  if (ids.length === 0) return new Map();
  const { planId, version, terms } = planVersions;
  const rows = await db
    .select({ planId, version, terms, node: plans.node })
    .from(planVersions)
    .innerJoin(plans, eq(plans.id, planId))
    .where(inArray(planId, ids));
  return new Map(rows.map((row) => [`${row.planId} ${row.version}`, { ...row.terms, node: row.node }]));
}

type Tree = Pick<NodeTree, "ancestors" | "children">;

const { versions: maxVersions, bytes: most, bytesOfTenant, ...counts } = definitionLimits.plans;
const limit = { what: "plans", table: plans, ...counts };

async function checkTermsBytes(tx: Queries, tree: Tree, node: NodeAddress, terms: PlanTerms, field: string) {
  await checkBytes(tx, tree, node, {
    what: "plans",
    field,
    added: terms,
    most,
    ofTenant: bytesOfTenant,
    async heldBy(within) {
      const held = tx.select({ id: plans.id }).from(plans).where(within(plans.node));
      const [counted] = await tx
        .select({ bytes: sql<number>`coalesce(sum(octet_length(terms::text)), 0)::float8` })
        .from(planVersions)
        .where(inArray(planVersions.planId, held));
      return counted?.bytes ?? 0;
    },
  });
}

/** Its first version is a draft. Throws `conflict` or `invalid_request` beyond what a node and its tenant may have. */
export async function createPlan(
  postgres: Postgres,
  tree: Tree,
  { terms, ...wanted }: NewPlan,
  by: Author,
): Promise<PlanRecord> {
  return await postgres.transaction(async (tx) => {
    await checkLimit(tx, tree, wanted.node, limit);
    await checkTermsBytes(tx, tree, wanted.node, terms, "features");
    const id = newId("plan");
    await tx.insert(plans).values({ ...wanted, id });
    await tx.insert(planVersions).values({ planId: id, version: 1, terms });
    const made = await planIn(tx, id);
    await recordChange(tx, { by, node: made.node, action: "plan.created", subject: id, after: stateOfPlan(made) });
    return made;
  });
}

const editable: Editable<PlanRecord> = {
  async lock(tx, id) {
    await tx.select().from(plans).where(eq(plans.id, id)).for("update");
    return await planIn(tx, id);
  },
  stateOf: stateOfPlan,
};

/** New terms go to the draft, which is begun where there is none. */
export async function changePlan(
  postgres: Postgres,
  tree: Tree,
  id: string,
  { terms, ...change }: PlanEdit,
  edit: Edit,
): Promise<PlanRecord> {
  return await recordedEdit(postgres, editable, { ...edit, id, action: "plan.changed" }, async (tx, before) => {
    const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
    if (Object.keys(given).length > 0) await tx.update(plans).set(given).where(eq(plans.id, id));
    if (terms) {
      const [newest] = before.versions;
      await checkTermsBytes(tx, tree, before.node, terms, "terms.features");
      if (newest?.publishedAt && newest.version >= maxVersions)
        throw new ProblemError(
          "conflict",
          `the plan has ${maxVersions} versions, the most allowed; create a new plan`,
          {
            field: "terms",
          },
        );
      if (newest && newest.publishedAt === null) await tx.update(planVersions).set({ terms }).where(draftOf(id));
      else await tx.insert(planVersions).values({ planId: id, version: (newest?.version ?? 0) + 1, terms });
    }
    return await planIn(tx, id);
  });
}

/** Throws `conflict` where there is no draft. */
export async function publishPlan(postgres: Postgres, id: string, edit: Edit): Promise<PlanRecord> {
  return await recordedEdit(postgres, editable, { ...edit, id, action: "plan.published" }, async (tx) => {
    const published = await tx.update(planVersions).set({ publishedAt: new Date() }).where(draftOf(id)).returning();
    if (published.length === 0) throw new ProblemError("conflict", "the plan has no draft to publish");
    return await planIn(tx, id);
  });
}

/** What an `ETag` of a plan is made of, and what the audit keeps. */
export function stateOfPlan({ node, name, offered, versions }: PlanRecord): object {
  const [newest] = versions;
  return {
    node,
    name,
    offered,
    ...(newest && { version: newest.version, isPublished: newest.publishedAt !== null, terms: newest.terms }),
  };
}

const draftOf = (id: string) => and(eq(planVersions.planId, id), isNull(planVersions.publishedAt));

async function planIn(tx: Queries, id: string): Promise<PlanRecord> {
  const plan = await readPlan(tx, id);
  if (!plan) throw new ProblemError("not_found", "there is no such plan");
  return plan;
}
