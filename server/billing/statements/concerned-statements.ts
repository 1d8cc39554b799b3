/** Which closed statements late events and other changes of the past concern: too many rather than too few. */

import { and, asc, eq, gt, max } from "drizzle-orm";
import { z } from "zod";
import type { Meter } from "../../catalog/meter.ts";
import { isCarriedOn, isOfJobs } from "../../catalog/rule-traits.ts";
import { defineQuery } from "../../clickhouse/define-query.ts";
import { numberColumn } from "../../clickhouse/number-column.ts";
import { dayMs } from "../../contract/durations.ts";
import { nodeAddress } from "../../contract/node-address.ts";
import type { NodeAddress } from "../../contract/nodes.ts";
import type { PastChange } from "../../postgres/past-changes.ts";
import { statements } from "../../postgres/schema/statements.ts";
import { ownersWithin } from "../../tree/past-owners.ts";
import { meterOfFeature } from "../plan-meters.ts";
import { readTerms } from "../plans.ts";
import { type TermsByVersion, termsOf } from "../quotas.ts";
import { listSubscriptions } from "../subscriptions.ts";
import type { StatementRow, StatementSource } from "./close-statements.ts";

const lateUsage = defineQuery(
  "late_usage",
  z.object({ after: z.number(), settled: z.number(), before_ms: z.number() }),
  z.object({
    organization: z.string(),
    first_ms: numberColumn,
    days: z.array(numberColumn),
    session_ms: numberColumn.nullable(),
    resellers: z.array(z.string()),
    partners: z.array(z.string()),
  }),
);

/** Which times of a node late events change. Instants are ms since 1970, UTC. */
interface LateTimes {
  firstMs: number;
  /** The first instants of the days that events lie in. */
  days: Set<number>;
  /** All minutes, peaks and starts since then; Infinity: none. */
  sessionMs: number;
}

export type ClosedPart = Pick<StatementRow, "id" | "node" | "partFrom" | "partTo" | "segments">;

const isOfSubscription = eq(statements.kind, "subscription");

/** The statements with usage that events under the batches after `after` up to `settled` change. */
export async function concernedByEvents(
  source: StatementSource,
  { after, settled, nowMs }: { after: number; settled: number; nowMs: number },
): Promise<ClosedPart[]> {
  const { db } = source.postgres;
  const [last] = await db
    .select({ to: max(statements.partTo) })
    .from(statements)
    .where(isOfSubscription);
  if (!last?.to) return [];
  const late = await lateUsage(source.clickhouse, { after, settled, before_ms: last.to.getTime() });
  const times = new Map<NodeAddress, LateTimes>();
  for (const { organization, first_ms, days, session_ms, resellers, partners } of late) {
    const node = nodeAddress("organization", organization);
    const stored = [
      ...resellers.map((id) => nodeAddress("reseller", id)),
      ...partners.map((id) => nodeAddress("partner", id)),
    ];
    // What is carried on goes along with an organization that moves.
    for (const owner of new Set([node, ...stored, ...ownersWithin(source.tree, node, first_ms, nowMs)])) {
      const known = times.get(owner) ?? { firstMs: first_ms, days: new Set(), sessionMs: Number.POSITIVE_INFINITY };
      times.set(owner, known);
      known.firstMs = Math.min(known.firstMs, first_ms);
      known.sessionMs = Math.min(known.sessionMs, session_ms ?? Number.POSITIVE_INFINITY);
      for (const day of days) known.days.add(day);
    }
  }
  const concerned: ClosedPart[] = [];
  for (const [node, known] of times) {
    const rows = await closedAfter(source, node, known.firstMs);
    const terms = await termsOfParts(source, rows);
    concerned.push(...rows.filter((row) => isConcerned(source, row, known, terms)));
  }
  return concerned;
}

/** The statements of subscriptions whose part ends after that instant, in order. */
async function closedAfter(source: StatementSource, node: NodeAddress, fromMs: number) {
  const { id, partFrom, partTo, segments } = statements;
  return await source.postgres.db
    .select({ id, node: statements.node, partFrom, partTo, segments })
    .from(statements)
    .where(and(eq(statements.node, node), isOfSubscription, gt(partTo, new Date(fromMs))))
    .orderBy(asc(partTo));
}

const termsOfParts = (source: StatementSource, rows: readonly ClosedPart[]) =>
  readTerms(
    source.postgres.db,
    rows.flatMap((row) => row.segments),
  );

function isConcerned(
  source: StatementSource,
  row: ClosedPart,
  { days, sessionMs }: LateTimes,
  terms: TermsByVersion,
): boolean {
  const [fromMs, toMs] = [row.partFrom.getTime(), row.partTo.getTime()];
  if (sessionMs < toMs) return true;
  for (const day of days) if (day < toMs && fromMs < day + dayMs) return true;
  return chargesBy(source, row, terms, (meter) => isCarriedOn(meter) || isOfJobs(meter));
}

/** Whether some feature of the terms is measured by such a meter; true as well where that cannot be known without measuring. */
function chargesBy(
  source: StatementSource,
  { segments }: ClosedPart,
  terms: TermsByVersion,
  isMeant: (meter: Meter) => boolean,
): boolean {
  return segments.some((segment) => {
    try {
      const inForce = termsOf(terms, segment);
      return inForce.features.some((feature) => {
        const meter = meterOfFeature(source, inForce, feature, segment.toMs);
        return meter !== undefined && isMeant(meter);
      });
    } catch {
      return true;
    }
  });
}

/** The statements whose usage the changes may have altered. Each node's are read once, however many changes it has. */
export async function concernedByChanges(
  source: StatementSource,
  changes: readonly PastChange[],
  nowMs: number,
): Promise<ClosedPart[]> {
  const concerned: ClosedPart[] = [];
  for (const [node, own] of byNode(changes.filter(({ meter }) => meter === undefined))) {
    const rows = await closedAfter(source, node, sinceOf(own));
    concerned.push(...rows.filter((row) => own.some((change) => reaches(change, row))));
  }
  const ofMeters = byNode(changes.filter(({ meter }) => meter !== undefined));
  if (ofMeters.size === 0) return concerned;
  for (const [node, owners] of await planOwners(source)) {
    // A plan's meters are those that its owner knew, wherever it stood then.
    const places = new Set([...owners].flatMap((owner) => ownersWithin(source.tree, owner, 0, nowMs)));
    const own = [...places].flatMap((place) => ofMeters.get(place) ?? []);
    if (own.length === 0) continue;
    const rows = await closedAfter(source, node, sinceOf(own));
    const terms = await termsOfParts(source, rows);
    const isChanged = (row: ClosedPart) => (meter: Meter) =>
      own.some((change) => reaches(change, row) && isMadeOf(meter, change.meter ?? ""));
    concerned.push(...rows.filter((row) => chargesBy(source, row, terms, isChanged(row))));
  }
  return concerned;
}

/** By subscribed node, the nodes whose plans it has or had. */
async function planOwners({ postgres: { db } }: StatementSource): Promise<Map<NodeAddress, Set<NodeAddress>>> {
  const subscriptions = await listSubscriptions(db);
  const terms = await readTerms(
    db,
    subscriptions.flatMap(({ history }) => history),
  );
  const owners = new Map<NodeAddress, Set<NodeAddress>>();
  for (const { node, history } of subscriptions) {
    const own = owners.get(node) ?? new Set();
    owners.set(node, own);
    for (const { planId, version } of history) {
      const owner = terms.get(`${planId} ${version}`)?.node;
      if (owner !== undefined) own.add(owner);
    }
  }
  return owners;
}

function byNode(changes: readonly PastChange[]): Map<NodeAddress, PastChange[]> {
  const found = new Map<NodeAddress, PastChange[]>();
  for (const change of changes) {
    const own = found.get(change.node);
    if (own) own.push(change);
    else found.set(change.node, [change]);
  }
  return found;
}

const sinceOf = (changes: readonly PastChange[]) =>
  changes.reduce((sinceMs, { fromMs }) => Math.min(sinceMs, fromMs), Number.POSITIVE_INFINITY);

const reaches = ({ fromMs, toMs }: PastChange, { partFrom, partTo }: ClosedPart) =>
  fromMs < partTo.getTime() && (toMs === null || partFrom.getTime() <= toMs);

function isMadeOf({ meter, rule }: Meter, name: string): boolean {
  return meter === name || (rule.kind === "derived" && rule.operands.some((operand) => isMadeOf(operand, name)));
}
