import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createGathering } from "../../../../server/ingest/flush/gathering.ts";
import { createSignal } from "../../../../server/ingest/flush/signal.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

function startGathering(isUrgent: () => boolean, areFew = () => false) {
  const hurry = createSignal();
  const abort = new AbortController();
  const gathering = createGathering({ isUrgent, areFew, hurry, abort: abort.signal });
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

test("while nobody waits, events gather for a second and no longer, and a full batch for no time at all", async () => {
  let isFull = false;
  const { gathering, dueAfterMs } = startGathering(() => isFull);
  expect(await dueAfterMs()).toBe(1_000);
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
  expect(await dueAfterMs(10_000)).toBe(1_000);
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
