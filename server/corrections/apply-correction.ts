/**
 * Carries a correction into storage: the row that no longer counts, the row that takes its place, and everything derived from
 * them. Doing it again writes the same, so a crash anywhere in between is healed by that. It has two steps: what the sessions that it
 * concerns are made of is gathered while others store, and it is applied while nothing else is stored or derived
 * (FlushLoop.exclusive): that takes as long as those sessions are large, however much their organization has.
 */
import { z } from "zod";
import { type ClickHouse, StoreUnavailableError } from "../clickhouse/client.ts";
import { defineInsert, defineQuery, defineStatement } from "../clickhouse/define-query.ts";
import type { EventRow } from "../clickhouse/event-columns.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { storedId } from "../ingest/accept/event-identity.ts";
import type { LevelMaterializer } from "../rollups/derive-levels.ts";
import { rebuildIntervals } from "../rollups/reinsert-intervals.ts";
import { closingLevel } from "../rollups/resolve-session.ts";

const storeCorrectedEvents = defineInsert("store_corrected_events", z.object({ batch: z.number(), sign: z.number() }));
const texts = z.array(z.string());
const markSessions = defineStatement(
  "mark_sessions_of_correction",
  z.object({ batch: z.number(), organizations: texts, sessions: texts, levels: texts, intervals: texts }),
);
const run = z.object({ run: z.number(), batches: z.array(z.number()) });
const gatherEvents = defineStatement(
  "gather_events",
  run.extend({ after: z.number(), through: z.number(), most: z.number() }),
);
const gatheredEvents = defineQuery("gathered_events", run.pick({ run: true }), z.object({ events: numberColumn }));
const reinsertGatheredEvents = defineStatement("reinsert_gathered_events", run);
const forgetGatheredEvents = defineStatement("forget_gathered_events", z.object({}));

/** Events that the sessions of one correction may have: they are rebuilt while nobody can store. */
const maxGatheredEvents = 500_000;
/** Until then ClickHouse may still be at a rebuild that nobody waits for: its statement says after how long it ends it. */
const rebuildEndsAfterMs = 60_000;

export interface StorableCorrection {
  before: EventRow;
  /** Undefined: the event is voided. */
  after: EventRow | undefined;
}

/** Larger than those of what is replaced. */
export interface CorrectionNumbers {
  voidBatch: number;
  /** Larger than `voidBatch`, so that of one key the amended row stands. */
  amendBatch: number | undefined;
}

/** Whether the intervals were rebuilt is not known: they may still be, and must not be once more before `untilMs`. */
export class RebuildInDoubtError extends Error {
  readonly untilMs: number;
  constructor(cause: StoreUnavailableError, untilMs: number) {
    super(`intervals may still be rebuilt: ${cause.message}`, { cause });
    this.name = "RebuildInDoubtError";
    this.untilMs = untilMs;
  }
}

/** What was gathered under number `run` of sessions that it marked, from everything up to batch `through`. */
interface Gathered {
  run: number;
  through: number;
  events: number;
}

/**
 * `run` is a number that nothing else has. `through`: everything of this batch and smaller ones can be queried. Undefined where the
 * correction concerns no session. Throws where they have more events than may be rebuilt.
 */
export async function gatherSessions(
  clickhouse: ClickHouse,
  { before, after }: StorableCorrection,
  { run, through }: Omit<Gathered, "events">,
): Promise<Gathered | undefined> {
  const marks = [before, ...(after ? [after] : [])].flatMap(marksOf);
  if (marks.length === 0) return undefined;
  await markSessions(clickhouse, {
    batch: run,
    organizations: marks.map(({ organization }) => organization),
    sessions: marks.map(({ session }) => session),
    levels: marks.map(({ level }) => level),
    intervals: marks.map(({ interval }) => interval),
  });
  return { run, through, events: await gather(clickhouse, { run, batches: [run], after: 0, through }) };
}

/** Answers how many events are gathered then; throws where they are more than may be rebuilt. */
async function gather(
  clickhouse: ClickHouse,
  asked: Omit<Parameters<typeof gatherEvents>[1], "most">,
): Promise<number> {
  await gatherEvents(clickhouse, { ...asked, most: maxGatheredEvents + 1 });
  const [{ events } = { events: 0 }] = await gatheredEvents(clickhouse, { run: asked.run });
  if (events > maxGatheredEvents)
    throw new Error(`the sessions have more than the ${maxGatheredEvents} events that can be rebuilt`);
  return events;
}

/** An interval that is named is marked beside its session: another event may have said which that is. */
function marksOf({ organization, session, level, interval }: EventRow) {
  if (level === "") return [];
  const named = { organization, session: "", level, interval };
  if (session === "") return [named];
  const whole = { organization, session, level: "", interval: "" };
  return interval === "" || level === closingLevel ? [whole] : [whole, named];
}

/** Answers the nodes whose levels may have changed. Throws RebuildInDoubtError. */
export async function applyCorrection(
  { clickhouse, materializer }: { clickhouse: ClickHouse; materializer: Pick<LevelMaterializer, "derive"> },
  { before, after }: StorableCorrection,
  { voidBatch, amendBatch }: CorrectionNumbers,
  gathered: Gathered | undefined,
  nowMs: number,
): Promise<ReadonlySet<string>> {
  const body = ({ source, ...row }: EventRow) => [
    Buffer.from(JSON.stringify({ ...row, id: storedId({ id: row.id, source }) })),
  ];
  await storeCorrectedEvents(clickhouse, body(before), { batch: voidBatch, sign: -1 });
  if (after && amendBatch !== undefined)
    await storeCorrectedEvents(clickhouse, body(after), { batch: amendBatch, sign: 1 });
  if (!gathered) return new Set();
  const { run, through, events } = gathered;
  const dirty = { run, batches: [run] };
  // A try that failed had its numbers before.
  const since = { after: Math.min(through, voidBatch - 1), through: Number.MAX_SAFE_INTEGER };
  // A process that was about to hand this over to another may have forgotten them.
  if ((await gather(clickhouse, { ...dirty, ...since })) < events)
    throw new Error("what was gathered is not there any more");
  const { changedNodes } = await materializer.derive([run], nowMs, "changes", async () => {
    const startedAtMs = Date.now();
    try {
      await rebuildIntervals(clickhouse, [run], () => reinsertGatheredEvents(clickhouse, dirty));
    } catch (error) {
      if (error instanceof StoreUnavailableError)
        throw new RebuildInDoubtError(error, startedAtMs + rebuildEndsAfterMs);
      throw error;
    }
  });
  await forgetGatheredEvents(clickhouse, {});
  return changedNodes;
}
