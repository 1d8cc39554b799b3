import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { system } from "../../server/audit/record-change.ts";
import type { UsageEvent } from "../../server/contract/events.ts";
import type { Postgres } from "../../server/postgres/client.ts";
import { readRebuilds, requestRebuild, runRebuilds } from "../../server/rollups/rebuild.ts";
import { reconcilePiece } from "../../server/rollups/reconcile-piece.ts";
import type { NodeTree } from "../../server/tree/node-tree.ts";
import { type Ingesting, startIngesting } from "../support/ingesting.ts";
import { type OwnTree, ownTree } from "../support/own-tree.ts";

let ingesting: Ingesting;
let close: OwnTree["close"];
let postgres: Postgres;
let tree: NodeTree;
const log = pino({ level: "silent" });

beforeAll(async () => {
  ({ postgres, tree, close } = await ownTree());
  ingesting = await startIngesting();
  for (const organization of ["dune", "reef"])
    ingesting.tree.organizations.set(organization, { partner: "p1", reseller: "coast" });
  await tree.ensureOrganizations(["dune", "reef"], "all");
});
afterAll(async () => {
  await ingesting.close();
  await close();
});

const deps = () => {
  const { store, materializer, sequence, flush } = ingesting;
  return { clickhouse: store.clickhouse, postgres, tree, materializer, sequence, flush, log };
};
const at = (day: number, minute: number) => new Date(Date.UTC(2026, 4, day, 23, minute)).toISOString();

let sent = 0;
/** A participant who comes and goes, over midnight, and a transcription. */
function usageOf(organization: string, day: number, session: string): Partial<UsageEvent>[] {
  const common = { organization, session, user: `u${sent % 5}`, interval: `i${sent}` };
  return [
    { ...common, id: `${sent++}`, type: "participant.joined", time: at(day, sent % 50) },
    { ...common, id: `${sent++}`, type: "participant.left", time: at(day, 50 + (sent % 30)) },
    { organization, id: `${sent++}`, type: "transcription.completed", time: at(day, sent % 60), value: "0.5" },
  ];
}

/** Figures of the days that nothing is sent for any more. */
async function settledFigures() {
  const range = { from: "2026-05-01", to: "2026-05-05", window: "day" as const };
  const meter = "participation_minutes,max_concurrent_participants,active_participants,sessions,transcribed_minutes";
  return await Promise.all(
    ["organization:dune", "organization:reef", "reseller:coast", "all"].map((node) =>
      ingesting.usage({ meter, node, ...range }),
    ),
  );
}

async function rebuild(organization?: string) {
  const { id } = await requestRebuild(
    { postgres, tree },
    { stage: "all", organization, from: undefined, to: undefined },
    system,
  );
  await runRebuilds(deps());
  const [finished] = await readRebuilds(postgres, ["all"], id);
  return finished;
}

test("a rebuild of every stage while events arrive changes no figure at any moment, and finds nothing wrong", async () => {
  for (const organization of ["dune", "reef"])
    for (const day of [1, 2, 3]) await ingesting.send(usageOf(organization, day, `s${day}`));
  const before = await settledFigures();
  let isRebuilding = true;
  // Events of other days, and of the sessions that are being compared; the figures are looked at after each.
  const arriving = (async () => {
    for (let samples = 1; ; samples++) {
      await ingesting.send(usageOf("dune", 10, "s10"));
      expect(await settledFigures()).toEqual(before);
      if (!isRebuilding) return samples;
    }
  })();
  const finished = await rebuild().finally(() => {
    isRebuilding = false;
  });
  expect(await arriving).toBeGreaterThan(1);
  expect(finished).toMatchObject({ repaired: 0, finishedAt: expect.any(Date) });
  expect(finished?.piecesDone).toBe(finished?.pieces);
  expect(await settledFigures()).toEqual(before);
});

test("events on their way in are no drift, however often a day is compared while they arrive", async () => {
  let isComparing = true;
  const arriving = (async () => {
    while (isComparing) await ingesting.send(usageOf("reef", 12, "s12"));
  })();
  const found = [];
  for (let run = 0; run < 12; run++)
    found.push(...(await reconcilePiece(deps(), { organization: "reef", day: "2026-05-12" })));
  isComparing = false;
  await arriving;
  expect(found).toEqual([]);
});

test("a rebuild restores every figure from the events alone, and one of an organization only its own and those above", async () => {
  const before = await settledFigures();
  const { clickhouse } = ingesting.store;
  const derived = ["usage_per_15m", "node_usage_per_15m", "intervals", "interval_sessions", "sessions"];
  for (const table of [...derived, "open_sessions", "presences", "level_edges", "level_slots"])
    await clickhouse.command(`TRUNCATE TABLE ${table}`);
  expect(await settledFigures()).not.toEqual(before);
  expect((await rebuild("dune"))?.repaired).toBeGreaterThan(0);
  expect((await settledFigures())[0]).toEqual(before[0]);
  expect((await settledFigures())[1]).not.toEqual(before[1]);
  await rebuild();
  expect(await settledFigures()).toEqual(before);
  expect(await rebuild()).toMatchObject({ repaired: 0 });
});

test("a rebuild that was cut short goes on after its last piece", async () => {
  const { id } = await requestRebuild(
    { postgres, tree },
    { stage: "counters", organization: "reef", from: "2026-05-01", to: "2026-05-03" },
    system,
  );
  let works = 0;
  const stopping = deps();
  const { flush } = stopping;
  await ingesting.store.clickhouse.command("TRUNCATE TABLE usage_per_15m");
  const cut = {
    settledBatch: flush.settledBatch,
    exclusive: (work: Parameters<typeof flush.exclusive>[0]) =>
      ++works > 1 ? Promise.reject(new Error("the service is stopping")) : flush.exclusive(work),
  };
  await expect(runRebuilds({ ...stopping, flush: cut })).rejects.toThrow("the service is stopping");
  const [interrupted] = await readRebuilds(postgres, ["all"], id);
  expect(interrupted).toMatchObject({ piecesDone: 1, lastPiece: "reef 2026-05-01", finishedAt: null });
  await runRebuilds(deps());
  const [finished] = await readRebuilds(postgres, ["all"], id);
  expect(finished).toMatchObject({ piecesDone: 2, pieces: 2 });
  expect(finished?.repaired).toBeGreaterThan(interrupted?.repaired ?? 0);
});
