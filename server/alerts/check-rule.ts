/** Whether a rule can hold where it is made: its meter, its filter, what it takes the place of. */

import { isDeepStrictEqual } from "node:util";
import { inArray } from "drizzle-orm";
import type { UsageSource } from "../billing/measure-span.ts";
import { dimensionsOf } from "../catalog/catalog.ts";
import { type Filter, parseJsonFilters } from "../catalog/filters.ts";
import type { Meter } from "../catalog/meter.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Condition, RuleFilter, RuleScope } from "../contract/rules.ts";
import type { Actor } from "../identity/actor.ts";
import type { Queries } from "../postgres/client.ts";
import { channels } from "../postgres/schema/delivery.ts";
import { ProblemError } from "../problem.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { readRule } from "./rules.ts";
import { isAgent } from "./visibility.ts";

interface Wanted {
  node: NodeAddress;
  scope: RuleScope;
  replaces: string | null;
  channels: readonly string[];
  condition: Condition;
}

interface Sources {
  tree: Pick<NodeTree, "isWithin">;
  meterOf: UsageSource["meterOf"];
}

/**
 * Channels are those within the reach of who makes the rule. What the rule had `before` may stay as it is: its meter may be gone by
 * now, its channels another's. Throws `invalid_request` naming the field.
 */
export async function checkRule(
  db: Queries,
  { tree, meterOf }: Sources,
  { node, scope, replaces, channels: wanted, condition }: Wanted,
  actor: Pick<Actor, "reach">,
  before?: Pick<Wanted, "channels" | "condition" | "scope">,
): Promise<void> {
  if (condition.kind === "system" && node !== "all") throw refusal("node", "system rules can only be created at all");
  if (condition.kind === "system" && scope !== "node")
    throw refusal("scope", "system rules cannot apply to organizations, because the system belongs to no single one");
  const isNew = !before || !isDeepStrictEqual(before.condition, condition);
  if (isAgent(node) && (isNew || before.scope !== scope)) checkAtAgent(condition, scope);
  if (isNew && "meter" in condition && condition.meter !== undefined) {
    const meter = meterOf(condition.meter, node, Date.now());
    if (!meter) throw refusal("condition.meter", `there is no meter named ${JSON.stringify(condition.meter)}`);
    if (condition.kind === "threshold") filtersOf(condition.filter, meter);
  }
  const added = wanted.filter((id) => !before?.channels.includes(id));
  const usable = await reachableAmong(db, tree, added, actor);
  const unknown = wanted.findIndex((id) => added.includes(id) && !usable.has(id));
  if (unknown >= 0) throw refusal(`channels.${unknown}`, "there is no such channel");
  if (replaces === null) return;
  const replaced = await readRule(db, replaces);
  const isAbove = replaced && replaced.node !== node && tree.isWithin(node, replaced.node);
  // Callers may learn of a rule that applies to their node, but not whether any other rule exists.
  if (!isAbove || replaced.scope !== "organizations" || replaced.kind !== condition.kind)
    throw refusal("replaces", "there is no rule of the same kind further up that applies here");
}

function checkAtAgent({ kind }: Condition, scope: RuleScope): void {
  if (kind === "customers" || kind === "billing")
    throw refusal("node", "an agent is not a customer and is not billed; use its organization");
  if (scope === "organizations") throw refusal("scope", "an agent has no organizations below it");
}

async function reachableAmong(
  db: Queries,
  tree: Sources["tree"],
  ids: readonly string[],
  actor: Pick<Actor, "reach">,
): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set();
  const found = await db
    .select({ id: channels.id, node: channels.node })
    .from(channels)
    .where(inArray(channels.id, [...ids]));
  const reachable = found.filter((one) => actor.reach.some((top) => tree.isWithin(one.node, top)));
  return new Set(reachable.map(({ id }) => id));
}

/** The filters that a condition's `filter` stands for. Throws `invalid_request` naming it. */
export function filtersOf(filter: RuleFilter | undefined, meter: Meter): Filter[] {
  const query = Object.entries(filter ?? {}).flatMap(([dimension, value]): [string, string | string[]][] => {
    if (typeof value === "string" || Array.isArray(value)) return [[`filter[${dimension}]`, value]];
    return Object.entries(value).flatMap(([operator, values]): [string, string | string[]][] =>
      values === undefined ? [] : [[`filter[${dimension}][${operator}]`, values]],
    );
  });
  try {
    return parseJsonFilters(Object.fromEntries(query), dimensionsOf(meter));
  } catch (error) {
    if (error instanceof ProblemError) throw refusal("condition.filter", error.message);
    throw error;
  }
}

/** The same for a rule that was made before; undefined where the meter has another version by now, without what the filter names. */
export function knownFiltersOf(filter: RuleFilter | undefined, meter: Meter): Filter[] | undefined {
  try {
    return filtersOf(filter, meter);
  } catch (error) {
    if (error instanceof ProblemError) return undefined;
    throw error;
  }
}

const refusal = (field: string, message: string) => new ProblemError("invalid_request", message, { field });
