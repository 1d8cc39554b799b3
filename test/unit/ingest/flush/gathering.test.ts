import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createGathering, patientPauseOf, SettlingTime } from "../../../../server/ingest/flush/gathering.ts";
import { createSignal } from "../../../../server/ingest/flush/signal.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

function startGathering(isUrgent: () => boolean, areFew = () => false, settlingMs = () => 0) {
  const hurry = createSignal();
  const abort = new AbortController();
  const gathering = createGathering({ isUrgent, areFew, settlingMs, hurry, abort: abort.signal });
  /** The ms after which the next batch may begin, where nothing happens before `elapsedMs` are over. */
  async function dueAfterMs(elapsedMs = 2_000): Promise<number | undefined> {
    const startedAtMs = performance.now();
    let dueAtMs: number | undefined;
    void gathering.whenDue().then(() => {
      dueAtMs = performance.now();
    });
    await vi.advanceTimersByTimeAsync(elapsedMs);
    return dueAtMs === undefined ? undefined : dueAtMs - startedAtMs;
  }
  return { gathering, hurry, dueAfterMs };
}

test("while somebody waits, the first event is stored at once, and what follows ten times a second", async () => {
  const { gathering, dueAfterMs } = startGathering(() => true);
  expect(await dueAfterMs(0)).toBe(0);
  gathering.begun(false);
  expect(await dueAfterMs()).toBe(100);
});

test("while nobody waits, events gather for 900 ms and no longer, and a full batch for no time at all", async () => {
  let isFull = false;
  const { gathering, dueAfterMs } = startGathering(() => isFull);
  expect(await dueAfterMs()).toBe(900);
  gathering.begun(true);
  isFull = true;
  expect(await dueAfterMs(0)).toBe(0);
});

test("few events for which nobody waits gather for five seconds, and when they become many for no longer than a second", async () => {
  let areFew = true;
  const { gathering, dueAfterMs } = startGathering(
    () => false,
    () => areFew,
  );
  expect(await dueAfterMs(10_000)).toBe(5_000);
  gathering.begun(false);
  setTimeout(() => {
    areFew = false;
  }, 450);
  expect(await dueAfterMs(10_000)).toBe(900);
});

test("while nobody waits, what a batch takes to settle is taken from the time that events gather", async () => {
  let settlingMs = 150;
  const { gathering, dueAfterMs } = startGathering(
    () => false,
    () => false,
    () => settlingMs,
  );
  expect(await dueAfterMs()).toBe(750);
  gathering.begun(false);
  settlingMs = 400;
  expect(await dueAfterMs()).toBe(500);
});

test("the pause is never shorter than what a batch takes, nor longer than a second", () => {
  for (let settlingMs = 0; settlingMs <= 450; settlingMs += 50)
    expect(patientPauseOf(settlingMs) + settlingMs).toBe(900);
  for (const settlingMs of [500, 700, 1_000]) expect(patientPauseOf(settlingMs)).toBe(settlingMs);
  for (const settlingMs of [1_001, 60_000]) expect(patientPauseOf(settlingMs)).toBe(1_000);
});

test("what batches take to settle is the longest of late, and of batches that this process began", async () => {
  const settling = new SettlingTime();
  const settle = async (batch: number, tookMs: number) => {
    settling.begun(batch, performance.now());
    await vi.advanceTimersByTimeAsync(tookMs);
    settling.settled(batch);
    return settling.ms;
  };
  settling.settled(7);
  expect(settling.ms).toBe(0);
  expect(await settle(1, 100)).toBe(100);
  expect(await settle(2, 400)).toBe(400);
  expect(await settle(3, 100)).toBe(320);
  expect(await settle(4, 300)).toBe(300);
  settling.settled(4);
  expect(settling.ms).toBe(300);
});

test("who begins to wait while events gather has them stored at once", async () => {
  let isUrgent = false;
  const { hurry, dueAfterMs } = startGathering(() => isUrgent);
  const due = dueAfterMs(400);
  isUrgent = true;
  hurry.set();
  expect(await due).toBe(0);
});

test("who comes to watch is noticed without being announced", async () => {
  let isUrgent = false;
  const { dueAfterMs } = startGathering(() => isUrgent);
  setTimeout(() => {
    isUrgent = true;
  }, 250);
  expect(await dueAfterMs()).toBe(300);
});
