import { afterAll, beforeAll, expect, test } from "vitest";
import type { ClickHouse } from "../../../server/clickhouse/client.ts";
import { loadLiveLevels } from "../../../server/live/load-live-levels.ts";
import { stageComparisons } from "../../../server/rollups/compare-stages.ts";
import { createLevelMaterializer, type LevelMaterializer } from "../../../server/rollups/derive-levels.ts";
import type { DerivedChange } from "../../../server/rollups/derived-change.ts";
import { type Ingesting, startIngesting } from "../../support/ingesting.ts";

let ingesting: Ingesting;
beforeAll(async () => {
  ingesting = await startIngesting();
});
afterAll(() => ingesting.close());

/** The store, until a derivation wants to write its sessions: then it is cut off, once. */
function cutBeforeSessions(clickhouse: ClickHouse): ClickHouse {
  let isCut = false;
  return {
    ...clickhouse,
    async insertBytes(sql, body, params) {
      if (!isCut && sql.includes("INSERT INTO sessions\n")) {
        isCut = true;
        throw new Error("cut off");
      }
      return await clickhouse.insertBytes(sql, body, params);
    },
  };
}

/** Edges that are not those of the sessions, and slots that are not those of the edges. */
async function differences(organization: string, day: string): Promise<unknown[]> {
  const { store, sequence, materializer } = ingesting;
  const whole = {
    clickhouse: store.clickhouse,
    sequence,
    derive: materializer.derive,
    nowMs: Date.now(),
    settledBatch: 0,
  };
  const comparison = { ...whole, changedNodes: new Set<string>(), dirtyBatch: 0 };
  const piece = { organization, day };
  const { edges, slots } = stageComparisons;
  return [...(await edges.compare(comparison, piece)), ...(await slots.compare(comparison, piece))];
}

/** Later than those that began on this database. */
const latestEpoch = (leftSince: number | undefined) => () => ({ number: Number.MAX_SAFE_INTEGER, leftSince });

const later: Record<string, (unfinished: LevelMaterializer) => LevelMaterializer> = {
  "in the same process": (unfinished) => unfinished,
  "after a restart": (unfinished) => {
    const { store, sequence } = ingesting;
    return createLevelMaterializer({
      clickhouse: store.clickhouse,
      nextVersion: () => sequence.next(),
      currentEpoch: latestEpoch(unfinished.unfinishedSince()),
    });
  },
};

test.each(Object.entries(later))(
  "what a derivation wrote before it was cut off is undone %s, also where it is not done again with the same events",
  async (name, next) => {
    const { store, sequence } = ingesting;
    const organization = `cut off ${name}`;
    const now = Date.now();
    const minutesAgo = (minutes: number) => new Date(now - minutes * 60_000).toISOString();
    const send = (id: string, action: string, time: string) =>
      ingesting.send([
        { id, type: `participant.${action}`, organization, session: "s", user: "u", interval: "i", time },
      ]);
    await send("in", "joined", minutesAgo(10));
    await send("alive", "alive", minutesAgo(8));
    const day = minutesAgo(8).slice(0, 10);
    const batch = ingesting.flush.settledBatch;
    const materializer = createLevelMaterializer({
      clickhouse: cutBeforeSessions(store.clickhouse),
      nextVersion: () => sequence.next(),
      currentEpoch: latestEpoch(undefined),
    });
    // A day later the interval has ended at its last sign of life, in a minute that had no edge so far and will have none.
    await expect(materializer.derive([batch], now + 24 * 60 * 60_000)).rejects.toThrow("cut off");
    await send("out", "left", minutesAgo(5));
    expect(await differences(organization, day)).not.toEqual([]);
    await next(materializer).derive([], now);
    expect(await differences(organization, day)).toEqual([]);
  },
);

test("live levels that are read between a derivation that was cut off and its repetition come to what storage has", async () => {
  const { store, sequence } = ingesting;
  const organization = "cut off while it ends";
  const now = Date.now();
  const send = (action: string, minutesAgo: number) =>
    ingesting.send([
      {
        id: action,
        type: `participant.${action}`,
        organization,
        session: "s",
        user: "u",
        interval: "i",
        time: new Date(now - minutesAgo * 60_000).toISOString(),
      },
    ]);
  await send("joined", 10);
  const batch = ingesting.flush.settledBatch;
  const changes: DerivedChange[] = [];
  const materializer = createLevelMaterializer({
    clickhouse: cutBeforeSessions(store.clickhouse),
    nextVersion: () => sequence.next(),
    currentEpoch: latestEpoch(undefined),
    listener: { onSessionsDerived: (derived) => changes.push(...derived), onInvalidated: () => undefined },
  });
  // A day later the session has timed out, so it is listed as open no more.
  const dayLater = now + 24 * 60 * 60_000;
  await expect(materializer.derive([batch], dayLater)).rejects.toThrow("cut off");
  await materializer.derive([], dayLater);
  const node = `organization:${organization}` as const;
  const between = await loadLiveLevels(store.clickhouse, dayLater, 10_000, (id) => id);
  expect(between?.read(node, dayLater)?.levels.live_participants).toBe(1);
  changes.length = 0;
  await materializer.derive([batch], dayLater);
  between?.apply(changes, dayLater);
  expect(between?.read(node, dayLater)?.levels.live_participants).toBe(0);
});
