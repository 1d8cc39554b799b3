import { expect, test } from "vitest";
import { BatchDerivations } from "../../../../server/ingest/flush/derive-batches.ts";
import type { SealedBatch } from "../../../../server/ingest/flush/seal-batch.ts";

const batch = (number: number, events: number) =>
  ({
    manifest: { batch: number, refused: [], parts: events === 0 ? [] : [{ batch: number, from: 0, to: events }] },
    organizations: new Set(),
    receipts: [],
    rows: { length: events, bytes: () => (events === 0 ? [] : [Buffer.from("line\n")]) },
  }) as unknown as SealedBatch;

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

test("batches that waited for each other are written before the next are derived, which are then as many as came meanwhile", async () => {
  const derived: { batches: number; worked: () => void; written: () => void }[] = [];
  const derivations = new BatchDerivations({
    materializer: {
      deriveEvents: ({ lines }, _nowMs, worked = () => undefined) =>
        new Promise((resolve) => {
          const written = () => resolve({ changedNodes: new Set(), sessions: 0, changedMinutes: 0, differences: [] });
          derived.push({ batches: lines.length, worked, written });
        }),
    },
    now: () => 0,
    untilDone: (derive) => derive(0),
    settle: async () => undefined,
  });
  const handOn = async (...numbers: number[]) => {
    for (const number of numbers) await derivations.handOn(batch(number, 1), Promise.resolve());
    await new Promise<void>((resolve) => setImmediate(resolve));
  };
  const counts = () => derived.map(({ batches }) => batches);
  await handOn(1, 2, 3);
  expect(counts()).toEqual([1]);
  derived[0]?.worked();
  await handOn(4);
  // One alone is written beside the next.
  expect(counts()).toEqual([1, 2]);
  derived[0]?.written();
  derived[1]?.worked();
  await handOn(5, 6);
  expect(counts()).toEqual([1, 2]);
  derived[1]?.written();
  await handOn();
  expect(counts()).toEqual([1, 2, 3]);
  derived[2]?.worked();
  derived[2]?.written();
  await derivations.settled();
});
