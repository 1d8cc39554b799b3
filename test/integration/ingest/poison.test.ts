import { expect, test } from "vitest";
import { poisonIngest } from "../../poison/poison-ingest.ts";
import { startIngesting } from "../../support/ingesting.ts";

const bodies = Number(process.env.PROPERTY_RUNS ?? 1_500);

test("whatever a body is, its events are accepted, known or in quarantine, and a sound one is stored whatever its neighbours are", async () => {
  const ingesting = await startIngesting();
  const seed = Number(process.env.PROPERTY_SEED ?? Math.floor(Math.random() * 1e9));
  try {
    const books = await poisonIngest(ingesting, ingesting.tree, ingesting.store.clickhouse, { bodies, seed });
    expect(books.wrong).toEqual([]);
    expect(books.bodies).toBe(bodies);
    expect(books.rejected).toBeGreaterThan(bodies / 10);
    expect(books.sound).toBeGreaterThan(bodies / 10);
  } finally {
    await ingesting.close();
  }
});
