/**
 * What a derivation writes, in this order: edges, slots, which sessions are open, and the sessions last, because what they say is what
 * the next derivation compares with. Of one that did not end, edges may be written that `sessions` does not know.
 */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineInsert, defineStatement } from "../clickhouse/define-query.ts";
import { minuteMs } from "../contract/durations.ts";
import { nodeAddress } from "../contract/node-address.ts";
import { inSlices, type Pace } from "../fairness/pace.ts";
import { type AgentSpan, type DerivedChange, derivedChange, edgeChanges } from "./derived-change.ts";
import {
  edgesByMinute,
  formerNodes,
  type MinuteChange,
  minuteKey,
  type NodePath,
  pathOf,
  withoutEdges,
} from "./minute-changes.ts";
import type { MinuteSlots } from "./minute-slots.ts";
import { sessionKey } from "./session-intervals.ts";
import {
  type EdgeLists,
  listSteps,
  type OpenRow,
  renderEdgeRow,
  renderOpenRow,
  renderPath,
  renderSessionRow,
  type SessionHead,
  type SessionRow,
  type SpanLists,
} from "./session-rows.ts";
import { partKey, readUnfinished } from "./stored-sessions.ts";

const epochParam = z.object({ epoch: z.number() });
const insertSessions = defineInsert("insert_sessions", epochParam);
const insertOpenSessions = defineInsert("insert_open_sessions", epochParam);
const insertLevelEdges = defineInsert("insert_level_edges", epochParam);
const deriveSlots = defineStatement(
  "derive_slots",
  epochParam.extend({
    version: z.number(),
    before: z.number(),
    former_kinds: z.array(z.string()),
    former_nodes: z.array(z.string()),
  }),
);

/** Minutes younger than this are still changing: their slots are computed from memory. */
const changingMs = 15 * 60 * 1000;
/** After every minute that an event can have, seconds since 1970. */
const endOfTime = 4_294_967_280;

/** Rows as the bytes that are sent: as texts, thousands of them would be copied by the collector until they are. */
class RowBytes {
  #bytes = Buffer.alloc(0);
  #length = 0;

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  get body(): Buffer[] {
    return [this.#bytes.subarray(0, this.#length)];
  }

  push(row: string): void {
    // A character of two bytes in memory takes three at most.
    const most = this.#length + row.length * 3;
    if (most > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(most, this.#bytes.length * 2, smallestBytes));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#length += this.#bytes.write(row, this.#length, "utf8");
  }
}

const smallestBytes = 4 * 1024;

/**
 * What one step of a derivation came to, gathered session by session. What it was made of is let go as soon as it is rendered: one
 * step has thousands of sessions.
 */
export class DerivedRows {
  readonly version: number;
  /** In parts, each counts. */
  sessions = 0;
  readonly minutes: Omit<MinuteChange, "edges">[] = [];
  readonly #changes: DerivedChange[] = [];
  /** Those of a comparison; else there are none. */
  readonly compared: { sessions: SessionRow[]; open: OpenRow[] } = { sessions: [], open: [] };
  readonly #isCompared: boolean;
  readonly #edgeRows = new RowBytes();
  readonly #sessionRows = new RowBytes();
  readonly #openRows = new RowBytes();

  /** `version`: of everything that is written. */
  constructor(version: number, scope: "changes" | "comparison" = "changes") {
    this.version = version;
    this.#isCompared = scope === "comparison";
  }

  /** What became of one part of a session; `agentSpans` are those of all of it. */
  async add(
    row: SessionRow,
    agentSpans: readonly AgentSpan[],
    minutes: readonly MinuteChange[],
    pace: Pace,
  ): Promise<void> {
    if (this.#isCompared) {
      this.sessions++;
      this.compared.sessions.push(row);
    } else this.addRendered(row, await inSlices(listSteps(row), pace), agentSpans, minutes);
  }

  /** The same, where the lists of the row are written already. */
  addRendered(
    row: SessionHead,
    lists: SpanLists & EdgeLists,
    agentSpans: readonly AgentSpan[],
    minutes: readonly MinuteChange[],
  ): void {
    this.sessions++;
    let path: { of: NodePath; text: string } | undefined;
    for (const { minute, level, pathBefore, removed, pathAfter, added, edges } of minutes) {
      // Mostly one for all of them.
      if (path?.of !== pathAfter) path = { of: pathAfter, text: renderPath({ ...pathAfter, session: row.session }) };
      this.#edgeRows.push(renderEdgeRow(path.text, row.part, minute, level, edges, this.version));
      this.minutes.push({ minute, level, pathBefore, removed, pathAfter, added });
    }
    this.#sessionRows.push(renderSessionRow(row, lists));
    this.#changes.push(derivedChange(row, edgeChanges(minutes), agentSpans));
  }

  /** What has changed since it was last taken. */
  takeChanges(): DerivedChange[] {
    return this.#changes.splice(0);
  }

  /** How long the session is listed as open. */
  addOpen(row: OpenRow): void {
    if (this.#isCompared) this.compared.open.push(row);
    else this.#openRows.push(renderOpenRow(row));
  }

  /** Node addresses whose levels may have changed. */
  changedNodes(): Set<string> {
    const paths = new Map<string, NodePath>();
    for (const { pathBefore, pathAfter } of this.minutes) {
      paths.set(pathKey(pathAfter), pathAfter);
      if (pathBefore !== pathAfter) paths.set(pathKey(pathBefore), pathBefore);
    }
    return new Set([...paths.values()].flatMap(nodesAbove));
  }

  /** Rejects when anything was not written; then the edges may be ahead of the sessions. */
  async write(clickhouse: ClickHouse, epoch: number, slots: MinuteSlots, nowMs: number): Promise<void> {
    const { version } = this;
    if (!this.#edgeRows.isEmpty) {
      await insertLevelEdges(clickhouse, this.#edgeRows.body, { epoch });
      const before = Math.floor((nowMs - changingMs) / minuteMs) * (minuteMs / 1000);
      const older = this.minutes.filter(({ minute }) => minute < before);
      if (older.length > 0) await deriveSlots(clickhouse, { epoch, version, before, ...formerNodes(older) });
      const changing = this.minutes.filter(({ minute }) => minute >= before);
      if (changing.length > 0) await slots.write(changing, version, epoch);
      slots.forgetBefore(before);
    }
    if (!this.#openRows.isEmpty) await insertOpenSessions(clickhouse, this.#openRows.body, { epoch });
    if (!this.#sessionRows.isEmpty) await insertSessions(clickhouse, this.#sessionRows.body, { epoch });
  }
}

/**
 * Puts the edges written under `since` and later versions back to what `sessions` says, and the slots of their minutes. Their
 * sessions may be listed as open no more: they are again, and due, so who reads what is open reads them until they are derived.
 */
export async function undoDerivations(
  clickhouse: ClickHouse,
  epoch: number,
  version: number,
  since: number,
): Promise<void> {
  const { minutes, derived } = await readUnfinished(clickhouse, since);
  if (minutes.length === 0) return;
  const undone = new Map(
    minutes.map(({ organization, session }) => [sessionKey({ organization, session }), { organization, session }]),
  );
  const due = [...undone.values()].map((named) => renderOpenRow({ ...named, version, deadline_ms: 1, is_deleted: 0 }));
  // First, because afterwards nothing shows that something was undone.
  await insertOpenSessions(clickhouse, asBody(due), { epoch });
  const parts = new Map(
    [...derived].map(([key, part]) => [key, { pathAfter: pathOf(part), edges: edgesByMinute(part.edges) }]),
  );
  const rows: string[] = [];
  const moved: Pick<MinuteChange, "pathBefore" | "pathAfter">[] = [];
  for (const unfinished of minutes) {
    const { minute, level, session, part } = unfinished;
    const pathBefore = pathOf(unfinished);
    const stands = parts.get(partKey(unfinished));
    const pathAfter = stands?.pathAfter ?? pathBefore;
    const edges = stands?.edges.get(minuteKey(minute, level)) ?? withoutEdges;
    rows.push(renderEdgeRow(renderPath({ ...pathAfter, session }), part, minute, level, edges, version));
    moved.push({ pathBefore, pathAfter });
  }
  await insertLevelEdges(clickhouse, asBody(rows), { epoch });
  await deriveSlots(clickhouse, { epoch, version, before: endOfTime, ...formerNodes(moved) });
}

const pathKey = ({ organization, partner, reseller }: NodePath) => `${organization}\0${partner}\0${reseller}`;

function nodesAbove({ organization, partner, reseller }: NodePath): string[] {
  return [
    nodeAddress("organization", organization),
    ...(reseller ? [nodeAddress("reseller", reseller)] : []),
    ...(partner ? [nodeAddress("partner", partner)] : []),
    "all",
  ];
}

const asBody = (rows: readonly string[]) => [Buffer.from(rows.join(""))];
