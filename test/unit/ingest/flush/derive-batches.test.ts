import { expect, test } from "vitest";
import { BatchDerivations } from "../../../../server/ingest/flush/derive-batches.ts";
import type { SealedBatch } from "../../../../server/ingest/flush/seal-batch.ts";

test("a batch without an event, such as one of refused events alone, holds up none of those after it", async () => {
  const settled: number[] = [];
  const derivations = new BatchDerivations({
    materializer: {
      deriveEvents: async (_lines, _nowMs, onWorked) => {
        onWorked?.();
        return { changedNodes: new Set(), sessions: 0, changedMinutes: 0, differences: [] };
      },
    },
    now: () => 0,
    untilDone: (derive) => derive(0),
    settle: async (group) => {
      settled.push(...group.map(({ manifest }) => manifest.batch));
    },
  });
  const batch = (number: number, events: number) =>
    ({
      manifest: { batch: number, refused: [], parts: events === 0 ? [] : [{ batch: number, from: 0, to: events }] },
      organizations: new Set(),
      receipts: [],
      rows: { length: events, bytes: () => (events === 0 ? [] : [Buffer.from("line\n")]) },
    }) as unknown as SealedBatch;
  for (const [number, events] of [
    [1, 1],
    [2, 0],
    [3, 1],
    [4, 0],
  ] as const) {
    await derivations.handOn(batch(number, events), Promise.resolve());
    await derivations.settled();
  }
  expect(settled).toEqual([1, 2, 3, 4]);
});
