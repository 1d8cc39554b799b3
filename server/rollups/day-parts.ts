/**
 * How a day of an organization is compared: at once, or, where very many sessions had something happen on it, its sessions in parts, each with
 * marks of its own, so that nobody waits for more than one of them.
 */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery, defineStatement } from "../clickhouse/define-query.ts";
import { type Stage, stages } from "../contract/reconciliation.ts";
import type { Sequence } from "../ingest/log/sequence.ts";
import type { Piece } from "./compare-stages.ts";

const markSessionsOfDay = defineStatement(
  "mark_sessions_of_day",
  z.object({ batch: z.number(), organization: z.string(), day: z.string() }),
);
const mark = z.object({ session: z.string(), level: z.string(), interval: z.string() });
const partBounds = defineQuery("part_bounds", z.object({ batch: z.number(), marks: z.number() }), mark);
const markSessionsOfPart = defineStatement(
  "mark_sessions_of_part",
  z.object({
    batch: z.number(),
    of: z.number(),
    after_session: z.string(),
    after_level: z.string(),
    after_interval: z.string(),
    until_session: z.string(),
    until_level: z.string(),
    until_interval: z.string(),
  }),
);

/** What is compared at once. */
export interface DayPart {
  stages: readonly Stage[];
  /** Marks its sessions; undefined where none of its stages needs that. */
  mark?: (batch: number) => Promise<unknown>;
  /** The batch under which they are marked already. */
  markedBatch?: number;
}

/** The stages that need sessions to be marked. */
const isOfSessions = (stage: Stage) => stage === "intervals" || stage === "sessions";

/** In the order in which each is made of one before it. `marks`: sessions that are compared at once. */
export async function dayParts(
  { clickhouse, sequence }: { clickhouse: ClickHouse; sequence: Sequence },
  { organization, day }: Piece,
  wanted: readonly Stage[],
  marks: number,
): Promise<{ before: DayPart[]; ofSessions: DayPart[]; after: DayPart[] }> {
  if (!wanted.some(isOfSessions)) return { before: [{ stages: wanted }], ofSessions: [], after: [] };
  const of = sequence.next();
  const markAll = (batch: number) => markSessionsOfDay(clickhouse, { organization, day, batch });
  await markAll(of);
  const bounds = await partBounds(clickhouse, { batch: of, marks });
  if (bounds.length === 0)
    return { before: [], ofSessions: [{ stages: wanted, mark: markAll, markedBatch: of }], after: [] };
  const markPart = (after: Mark, until: Mark) => (batch: number) =>
    markSessionsOfPart(clickhouse, {
      ...{ batch, of },
      ...{ after_session: after.session, after_level: after.level, after_interval: after.interval },
      ...{ until_session: until.session, until_level: until.level, until_interval: until.interval },
    });
  const first = stages.findIndex(isOfSessions);
  const some = (isAmong: (stage: Stage) => boolean): DayPart[] => {
    const found = wanted.filter(isAmong);
    return found.length > 0 ? [{ stages: found }] : [];
  };
  return {
    before: some((stage) => stages.indexOf(stage) < first),
    ofSessions: [noMark, ...bounds].map((after, place) => {
      return { stages: wanted.filter(isOfSessions), mark: markPart(after, bounds[place] ?? noMark) };
    }),
    after: some((stage) => stages.indexOf(stage) > first && !isOfSessions(stage)),
  };
}

type Mark = z.output<typeof mark>;
/** Before all marks; as the end of a part it stands after all. */
const noMark: Mark = { session: "", level: "", interval: "" };
