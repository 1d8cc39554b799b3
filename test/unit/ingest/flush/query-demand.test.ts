import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createQueryDemand } from "../../../../server/ingest/flush/query-demand.ts";

let lagMs: number;
let stores: (() => void)[];
let watching: number;
let isGathering: boolean;
let demand: ReturnType<typeof createQueryDemand>;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout"] });
  [lagMs, stores, watching, isGathering] = [0, [], 0, true];
  demand = createQueryDemand({
    watchers: () => watching,
    lagMs: () => lagMs,
    isGathering: () => isGathering,
    allStored: () => new Promise((resolve) => stores.push(resolve)),
  });
});
afterEach(() => {
  vi.useRealTimers();
});

/** What has been answered, as it is answered. */
function ask(answered: string[], name: string): void {
  void demand.asked().then(() => answered.push(name));
}

test("who asks first after a while waits until what gathered is stored, and who asks meanwhile with it", async () => {
  lagMs = 4_000;
  const answered: string[] = [];
  ask(answered, "first");
  ask(answered, "second");
  await vi.advanceTimersByTimeAsync(0);
  expect([answered, stores.length]).toEqual([[], 1]);
  stores[0]?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(answered.toSorted()).toEqual(["first", "second"]);
});

test("where storage takes too long nobody waits for longer than half a second, and no question adds one that waits", async () => {
  lagMs = 4_000;
  const answered: string[] = [];
  ask(answered, "first");
  await vi.advanceTimersByTimeAsync(500);
  expect(answered).toEqual(["first"]);
  for (let again = 0; again < 100; again++) ask(answered, `${again}`);
  await vi.advanceTimersByTimeAsync(0);
  expect([answered.length, stores.length]).toEqual([101, 1]);
});

test("where somebody watches or nothing gathered for a second, nobody waits", async () => {
  const answered: string[] = [];
  lagMs = 900;
  ask(answered, "little");
  await vi.advanceTimersByTimeAsync(6_000);
  [lagMs, watching] = [4_000, 1];
  ask(answered, "watched");
  await vi.advanceTimersByTimeAsync(0);
  expect([answered, stores.length]).toEqual([["little", "watched"], 0]);
});

test("who has asked is taken to look for some seconds", async () => {
  expect(demand.isWatched()).toBe(false);
  await demand.asked();
  expect(demand.isWatched()).toBe(true);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(demand.isWatched()).toBe(false);
});

test("where events wait for storage and not to become more, nobody waits with them", async () => {
  [lagMs, isGathering] = [4_000, false];
  const answered: string[] = [];
  ask(answered, "while storage is away");
  await vi.advanceTimersByTimeAsync(0);
  expect([answered, stores.length]).toEqual([["while storage is away"], 0]);
});
