import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stageComparisons } from "../../../server/rollups/compare-stages.ts";
import { createMinuteSlots } from "../../../server/rollups/minute-slots.ts";
import { type Ingesting, startIngesting } from "../../support/ingesting.ts";

let ingesting: Ingesting;
beforeAll(async () => {
  ingesting = await startIngesting();
  ingesting.tree.organizations.set("north", { partner: "sea", reseller: "tides" });
  ingesting.tree.organizations.set("south", { partner: "", reseller: "tides" });
  ingesting.tree.organizations.set("east", { partner: "", reseller: "" });
});
afterAll(() => ingesting.close());

let run = 0;

const signArbitrary = fc.record({
  organization: fc.constantFrom("north", "south", "east"),
  session: fc.constantFrom("s1", "s2"),
  interval: fc.constantFrom("i1", "i2", "i3"),
  action: fc.constantFrom("joined", "left"),
  // Whole seconds, often the first instant of a minute; several signs of an interval move its edges about.
  secondsAgo: fc.oneof(
    fc.integer({ min: 1, max: 400 }),
    fc.integer({ min: 1, max: 6 }).map((minutes) => minutes * 60),
  ),
});

/** The first slots of today and yesterday that are not what the edges come to. */
async function wrongSlots() {
  const { store, sequence, materializer } = ingesting;
  const nowMs = Date.now();
  const comparison = { clickhouse: store.clickhouse, sequence, derive: materializer.derive, nowMs };
  const days = [nowMs, nowMs - 24 * 60 * 60 * 1000].map((ms) => new Date(ms).toISOString().slice(0, 10));
  const whole = { ...comparison, settledBatch: 0, changedNodes: new Set<string>(), dirtyBatch: 0 };
  const found = await Promise.all(days.map((day) => stageComparisons.slots.compare(whole, { organization: "", day })));
  return found.flat();
}

/** Later than every epoch that began on this database. */
const latestEpoch = Number.MAX_SAFE_INTEGER;

test("slots of minutes that are still changing equal those computed anew from all edges, whatever each batch changed", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(signArbitrary, { minLength: 1, maxLength: 8 }), { maxLength: 4 }),
      async (batches) => {
        run++;
        const minuteMs = Math.floor(Date.now() / 60_000) * 60_000;
        let sent = 0;
        for (const batch of batches)
          await ingesting.send(
            batch.map(({ secondsAgo, action, session, interval, organization }) => ({
              id: `${run}-${sent++}`,
              type: `participant.${action}`,
              organization,
              session: `${run} ${session}`,
              interval: `${run} ${session} ${interval}`,
              user: interval,
              time: new Date(minuteMs - secondsAgo * 1000).toISOString(),
            })),
          );
        expect(await wrongSlots()).toEqual([]);
      },
    ),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 8) },
  );
});

test("a session that moves to another reseller leaves the slots of the former one", async () => {
  const minute = 1_700_000_040;
  const [former, later] = ["ebb", "flow"].map((reseller) => ({ organization: "west", partner: "", reseller }));
  const edges = { minute, level: "participants", edge_ms: [minute * 1000 + 5], edge_delta: [1], edge_starts: [1] };
  const { clickhouse } = ingesting.store;
  const write = async (path: typeof former, version: number) =>
    await clickhouse.command(
      "INSERT INTO level_edges SELECT toDateTime({minute:UInt32}, 'UTC'), 'west', 'w', 'participants', 0, '', {reseller:String}, {version:UInt64}, [{at:Int64}], [1], [1]",
      { minute, reseller: path?.reseller, version, at: edges.edge_ms[0] },
    );
  const netOf = async (reseller: string) =>
    await clickhouse.select(
      "SELECT net, starts FROM level_slots FINAL WHERE kind = 'reseller' AND node = {reseller:String}",
      { reseller },
    );
  if (!former || !later) throw new Error("both paths are given");
  const change = { minute, level: "participants" };
  const minuteSlots = createMinuteSlots(clickhouse);
  await write(former, 1);
  await minuteSlots.write(
    [{ ...change, pathBefore: former, removed: undefined, pathAfter: former, added: edges }],
    1,
    latestEpoch,
  );
  expect(await netOf("ebb")).toEqual([{ net: 1, starts: 1 }]);
  await write(later, 2);
  await minuteSlots.write(
    [{ ...change, pathBefore: former, removed: edges, pathAfter: later, added: edges }],
    2,
    latestEpoch,
  );
  expect(await netOf("ebb")).toEqual([{ net: 0, starts: 0 }]);
  expect(await netOf("flow")).toEqual([{ net: 1, starts: 1 }]);
});
