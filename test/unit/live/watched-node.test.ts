import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { LiveAnswer, LiveChanged } from "../../../server/contract/live.ts";
import { WatchedNode } from "../../../server/live/watched-node.ts";

let participants: number;
let reads: number[];
let running: number;
let maxRunning: number;
let readMs: number;
let isDown: boolean;
let changes: LiveChanged[];
let failures: unknown[];
let node: WatchedNode;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  participants = 0;
  reads = [];
  running = 0;
  maxRunning = 0;
  readMs = 10;
  isDown = false;
  changes = [];
  failures = [];
  node = new WatchedNode({
    read: async () => {
      reads.push(performance.now());
      maxRunning = Math.max(maxRunning, ++running);
      const seen = participants;
      await new Promise((resolve) => setTimeout(resolve, readMs));
      running--;
      if (isDown) throw new Error("storage is away");
      return answer(seen);
    },
    emit: (change) => changes.push(change),
    failed: (error) => failures.push(error),
  });
});
afterEach(() => {
  node.close();
  vi.useRealTimers();
});

function answer(live_participants: number): LiveAnswer {
  return {
    node: "organization:acme",
    at: "2026-11-21T09:00:00.000Z",
    watermark: "2026-11-21T08:59:59.900Z",
    levels: { live_participants, live_sessions: 1, active_recordings: 0 },
    rooms: [],
  };
}

/** The first snapshot, as the first viewer gets it. */
async function begin() {
  const fresh = node.fresh();
  await vi.advanceTimersByTimeAsync(readMs);
  return (await fresh)();
}

test("a node that is touched without end is read at most four times a second, and never twice at once", async () => {
  await begin();
  readMs = 400;
  for (let elapsedMs = 0; elapsedMs < 3_000; elapsedMs += 10) {
    node.touch();
    await vi.advanceTimersByTimeAsync(10);
  }
  readMs = 10;
  for (let elapsedMs = 0; elapsedMs < 10_000; elapsedMs += 10) {
    node.touch();
    await vi.advanceTimersByTimeAsync(10);
  }
  expect(maxRunning).toBe(1);
  for (const [index, at] of reads.entries()) expect(at - (reads[index - 1] ?? -250)).toBeGreaterThanOrEqual(249);
  expect(reads.length).toBeGreaterThan(40);
});

test("the last touch is always followed by a read that starts after it", async () => {
  await begin();
  readMs = 100;
  node.touch();
  await vi.advanceTimersByTimeAsync(260);
  participants = 7;
  node.touch();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(changes.at(-1)?.levels.live_participants).toBe(7);
});

test("sequences go up by one from the snapshot on, so that a viewer notices a lost change", async () => {
  const { sequence } = await begin();
  for (participants = 1; participants <= 5; participants++) {
    node.touch();
    await vi.advanceTimersByTimeAsync(300);
  }
  expect(changes.map((change) => change.sequence - sequence)).toEqual([1, 2, 3, 4, 5]);
  expect(changes.map((change) => change.levels.live_participants)).toEqual([1, 2, 3, 4, 5]);
});

test("a later viewer's snapshot has the sequence of the change that the others got last", async () => {
  await begin();
  await vi.advanceTimersByTimeAsync(300);
  participants = 3;
  const fresh = node.fresh();
  await vi.advanceTimersByTimeAsync(300);
  const snapshot = (await fresh)();
  expect(changes).toHaveLength(1);
  expect(snapshot).toMatchObject({ sequence: changes[0]?.sequence, levels: { live_participants: 3 } });
});

test("viewers get figures at least every five seconds though nothing changes, and not with every read", async () => {
  await begin();
  const notifiedAtMs: number[] = [performance.now()];
  for (let elapsedMs = 0; elapsedMs < 20_000; elapsedMs += 100) {
    const before = changes.length;
    node.touch();
    await vi.advanceTimersByTimeAsync(100);
    if (changes.length > before) notifiedAtMs.push(performance.now());
  }
  const pausesMs = notifiedAtMs.slice(1).map((atMs, index) => atMs - (notifiedAtMs[index] ?? 0));
  expect(pausesMs.length).toBeGreaterThanOrEqual(3);
  expect(Math.max(...pausesMs)).toBeLessThanOrEqual(5_000);
  expect(Math.min(...pausesMs)).toBeGreaterThanOrEqual(3_000);
});

test("while storage is away nothing is published and the outage is reported once; then viewers and those who wait get the present figures", async () => {
  await begin();
  isDown = true;
  participants = 9;
  await vi.advanceTimersByTimeAsync(300);
  const fresh = node.fresh();
  await vi.advanceTimersByTimeAsync(4_000);
  expect(changes).toEqual([]);
  expect(failures).toHaveLength(1);
  isDown = false;
  await vi.advanceTimersByTimeAsync(1_100);
  expect(changes.at(-1)?.levels.live_participants).toBe(9);
  expect((await fresh)().levels.live_participants).toBe(9);
});

test("a node that nobody watches any more is not read again", async () => {
  await begin();
  node.touch();
  node.close();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(reads).toHaveLength(1);
});

test("who has given up waits no more while storage is away", async () => {
  isDown = true;
  const asking = new AbortController();
  const fresh = node.fresh(asking.signal);
  const rejection = expect(fresh).rejects.toThrow("waits for this no more");
  asking.abort();
  await rejection;
});
