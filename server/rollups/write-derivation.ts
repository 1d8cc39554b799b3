/**
 * What a derivation writes, in this order: edges, slots, which sessions are open, and the sessions last, because what they say is what
 * the next derivation compares with. Of one that did not end, edges may be written that `sessions` does not know.
 */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineInsert, defineStatement } from "../clickhouse/define-query.ts";
import { nodeAddress } from "../contract/node-address.ts";
import { type DerivedChange, derivedChange, edgeChanges } from "./derived-change.ts";
import {
  edgesByMinute,
  formerNodes,
  type MinuteChange,
  minuteKey,
  minuteMs,
  type NodePath,
  pathOf,
  withoutEdges,
} from "./minute-changes.ts";
import type { MinuteSlots } from "./minute-slots.ts";
import { type OpenRow, renderEdgeRow, renderOpenRow, renderSessionRow, type SessionRow } from "./session-rows.ts";
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

/** What one step of a derivation came to, gathered session by session. */
export class DerivedRows {
  readonly version: number;
  readonly minutes: MinuteChange[] = [];
  readonly sessions: SessionRow[] = [];
  readonly open: OpenRow[] = [];
  readonly #changed: { row: SessionRow; minutes: readonly MinuteChange[] }[] = [];
  readonly #edgeRows: string[] = [];

  /** `version`: of everything that is written. */
  constructor(version: number) {
    this.version = version;
  }

  /** What became of one part of a session. */
  add(row: SessionRow, minutes: readonly MinuteChange[]): void {
    for (const change of minutes) {
      const { minute, level, pathAfter, edges } = change;
      const path = { ...pathAfter, session: row.session, part: row.part };
      this.#edgeRows.push(renderEdgeRow(path, minute, level, edges, this.version));
      this.minutes.push(change);
    }
    this.sessions.push(row);
    this.#changed.push({ row, minutes });
  }

  /** What has changed since it was last taken. */
  takeChanges(): DerivedChange[] {
    return this.#changed.splice(0).map(({ row, minutes }) => derivedChange(row, edgeChanges(minutes)));
  }

  /** Node addresses whose levels may have changed. */
  touchedNodes(): Set<string> {
    const paths = new Set(this.minutes.flatMap(({ pathBefore, pathAfter }) => [pathBefore, pathAfter]));
    const nodes = new Set<string>();
    for (const path of paths) for (const node of nodesAbove(path)) nodes.add(node);
    return nodes;
  }

  /** Rejects when anything was not written; then the edges may be ahead of the sessions. */
  async write(clickhouse: ClickHouse, epoch: number, slots: MinuteSlots, nowMs: number): Promise<void> {
    const { version } = this;
    if (this.#edgeRows.length > 0) {
      await insertLevelEdges(clickhouse, asBody(this.#edgeRows), { epoch });
      const before = Math.floor((nowMs - changingMs) / minuteMs) * (minuteMs / 1000);
      const older = this.minutes.filter(({ minute }) => minute < before);
      if (older.length > 0) await deriveSlots(clickhouse, { epoch, version, before, ...formerNodes(older) });
      const changing = this.minutes.filter(({ minute }) => minute >= before);
      if (changing.length > 0) await slots.write(changing, version, epoch);
      slots.forgetBefore(before);
    }
    if (this.open.length > 0) await insertOpenSessions(clickhouse, asBody(this.open.map(renderOpenRow)), { epoch });
    if (this.sessions.length > 0)
      await insertSessions(clickhouse, asBody(this.sessions.map(renderSessionRow)), { epoch });
  }
}

/** Puts the edges written under `since` and later versions back to what `sessions` says, and the slots of their minutes. */
export async function undoDerivations(
  clickhouse: ClickHouse,
  epoch: number,
  version: number,
  since: number,
): Promise<void> {
  const { minutes, derived } = await readUnfinished(clickhouse, since);
  if (minutes.length === 0) return;
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
    rows.push(renderEdgeRow({ ...pathAfter, session, part }, minute, level, edges, version));
    moved.push({ pathBefore, pathAfter });
  }
  await insertLevelEdges(clickhouse, asBody(rows), { epoch });
  await deriveSlots(clickhouse, { epoch, version, before: endOfTime, ...formerNodes(moved) });
}

function nodesAbove({ organization, partner, reseller }: NodePath): string[] {
  return [
    nodeAddress("organization", organization),
    ...(reseller ? [nodeAddress("reseller", reseller)] : []),
    ...(partner ? [nodeAddress("partner", partner)] : []),
    "all",
  ];
}

const asBody = (rows: readonly string[]) => [Buffer.from(rows.join(""))];
