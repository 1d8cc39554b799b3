import { afterAll, beforeAll, expect, test } from "vitest";
import { beginEpoch, laterEpochs } from "../../../server/rollups/fencing-epoch.ts";
import { type Ingesting, startIngesting } from "../../support/ingesting.ts";

let ingesting: Ingesting;
beforeAll(async () => {
  ingesting = await startIngesting();
});
afterAll(() => ingesting.close());

test("storage refuses what a process derives after another has begun, and nothing changes", async () => {
  const { store, materializer, flush } = ingesting;
  const event = { organization: "acme", session: "s", user: "u", interval: "i" };
  await ingesting.send([{ ...event, id: "in", type: "participant.joined", time: "2026-03-02T09:00:00Z" }]);
  const batch = flush.settledBatch;
  const written = () =>
    store.clickhouse.select(
      "SELECT (SELECT max(version) FROM sessions) AS sessions, (SELECT max(version) FROM level_edges) AS edges, (SELECT max(version) FROM level_slots) AS slots",
      {},
    );
  await materializer.derive([batch], Date.now());
  const before = await written();
  const epoch = (await laterEpochs(store.clickhouse, 0)).newest + 1;
  await beginEpoch(store.clickhouse, epoch);
  // A year later its interval has timed out: there is something to write in every table.
  const later = Date.parse("2027-03-02T09:00:00Z");
  await expect(materializer.derive([batch], later)).rejects.toThrow("another process derives levels by now");
  expect(await written()).toEqual(before);
});
