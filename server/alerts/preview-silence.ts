/** When who used to send would have been silent: an organization, an agent, or one of its keys while others send. */
import { z } from "zod";
import type { PeriodSource } from "../billing/period.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { minuteMs } from "../contract/durations.ts";
import { parseNode } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { type ConditionOf, previewLimits } from "../contract/rules.ts";
import { createPace } from "../fairness/pace.ts";
import { firings } from "./crossings.ts";
import { type Sending, type SendingKey, type SilenceReading, silenceFinding, silencesAt } from "./evaluate-silence.ts";
import { TooManyReadingsError, type Would, wouldOf } from "./preview-entry.ts";
import { awaitedMs, readKeys } from "./read-silence.ts";

const silencesOf = defineQuery(
  "silences",
  z.object({
    organization: z.string(),
    agent: z.string(),
    silent_ms: z.number(),
    most: z.number(),
    from_ms: z.number(),
    to_ms: z.number(),
  }),
  z.object({ key: z.string(), first_ms: numberColumn, last_ms: numberColumn, next_ms: numberColumn }),
);

/** ms since 1970, UTC. */
interface Silence {
  firstMs: number;
  lastMs: number;
  /** When something came again. */
  untilMs: number;
}

/**
 * By when events were received, which is all that the rule could have known: an import later on fills no silence. Only before an
 * organization's first event was received at all, where there was nothing to evaluate, do its events' own times stand for it, so that
 * an imported past can be looked at. To the millisecond. `span`: ms since 1970, UTC. Throws TooManyReadingsError.
 */
export async function previewSilence(
  source: PeriodSource,
  condition: ConditionOf<"no_data">,
  node: NodeAddress,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): Promise<Would[]> {
  const sender = senderOf(node);
  if (!sender) return [];
  const most = previewLimits.maxReadings;
  const silentMs = condition.silent_minutes * minuteMs;
  const times = { from_ms: fromMs - awaitedMs, to_ms: toMs, silent_ms: silentMs, most: most + 1 };
  const rows = await silencesOf(source.clickhouse, { ...sender, ...times });
  if (rows.length > most) throw new TooManyReadingsError(`${node} was silent more than ${most} times`);
  const silences = new Map<string, Silence[]>();
  for (const { key, first_ms: firstMs, last_ms: lastMs, next_ms: nextMs } of rows) {
    const own = silences.get(key) ?? [];
    silences.set(key, own);
    own.push({ firstMs, lastMs, untilMs: nextMs === 0 ? Number.POSITIVE_INFINITY : nextMs });
  }
  const keys = await sendingKeys(source, node, [...silences.keys()], fromMs);
  const instants = rows.flatMap(({ last_ms, next_ms }) => [last_ms + silentMs, next_ms]);
  const bySubject = new Map<string, (SilenceReading & { atMs: number })[]>();
  const pace = createPace();
  for (const atMs of [...new Set(instants)].sort((one, other) => one - other)) {
    if (atMs <= 0 || atMs >= toMs) continue;
    await pace.rest();
    for (const one of silencesAt(condition, sentBy(silences, keys, atMs), atMs)) {
      const readings = bySubject.get(one.subject) ?? [];
      bySubject.set(one.subject, readings);
      readings.push({ ...one, atMs });
    }
  }
  const fired: (SilenceReading & { atMs: number })[] = [];
  for (const readings of bySubject.values()) {
    await pace.rest();
    fired.push(...firings(readings));
  }
  return fired
    .filter(({ atMs }) => atMs >= fromMs)
    .sort((one, other) => one.atMs - other.atMs)
    .map((one) => wouldOf(silenceFinding(condition, node, one, one.atMs), one.atMs));
}

/** Undefined where it is not known what was sent. */
function senderOf(node: NodeAddress): { organization: string; agent: string } | undefined {
  const parsed = parseNode(node);
  if (parsed.kind === "organization") return { organization: parsed.id, agent: "" };
  return parsed.kind === "agent" ? { organization: parsed.organization, agent: parsed.agent } : undefined;
}

interface AwaitedKey extends Pick<SendingKey, "id" | "name"> {
  /** From when on it could send no more. */
  endsMs: number;
}

/** Those that stand at the node or below it, and could still send at the instant. */
async function sendingKeys(
  { postgres, tree }: PeriodSource,
  node: NodeAddress,
  ids: readonly string[],
  atMs: number,
): Promise<AwaitedKey[]> {
  const found = await readKeys(postgres.db, ids, atMs);
  return [...found]
    .filter(([, key]) => tree.ancestors(key.node).includes(node))
    .map(([id, { name, endsMs }]) => ({ id, name, endsMs }));
}

/** What was known at an instant of who sent when last. */
function sentBy(silences: ReadonlyMap<string, readonly Silence[]>, keys: readonly AwaitedKey[], atMs: number): Sending {
  return {
    lastMs: timesAt(silences.get(""), atMs)?.lastMs,
    keys: keys.flatMap(({ id, name, endsMs }): SendingKey[] => {
      const times = endsMs > atMs ? timesAt(silences.get(id), atMs) : undefined;
      return times ? [{ id, name, ...times }] : [];
    }),
  };
}

/** Between two silences something came all the time; undefined before the first event and long after the last. */
function timesAt(silences: readonly Silence[] | undefined, atMs: number): Omit<Silence, "untilMs"> | undefined {
  const firstMs = silences?.[0]?.firstMs;
  if (firstMs === undefined || firstMs > atMs) return undefined;
  const last = silences?.findLast(({ lastMs }) => lastMs <= atMs);
  const lastMs = last && atMs < last.untilMs ? last.lastMs : atMs;
  return atMs - lastMs > awaitedMs ? undefined : { firstMs, lastMs };
}
