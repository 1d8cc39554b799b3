import { pino } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ClickHouse } from "../../../server/clickhouse/client.ts";
import { FollowedLevels } from "../../../server/live/followed-levels.ts";
import type { DerivedChange } from "../../../server/rollups/derived-change.ts";

const mostHeld = 200;
let followed: FollowedLevels;
let epoch: number | undefined;
let loads: number;
let changed: string[];
let timedOut: number;
let isStorageAway: boolean;
/** What storage says that memory would have to keep. */
let stored: number;
let tellings: number;

beforeEach(async () => {
  vi.useFakeTimers();
  [epoch, loads, timedOut, isStorageAway, changed] = [1, 0, 0, false, []];
  [stored, tellings] = [0, 0];
  const selectColumns = async () => {
    loads++;
    if (isStorageAway) throw new Error("storage is away");
    return [];
  };
  followed = new FollowedLevels({
    clickhouse: { selectColumns, select: async () => [{ held: stored }] } as unknown as ClickHouse,
    onChanged(nodes) {
      tellings++;
      changed.push(...nodes);
    },
    log: pino({ level: "silent" }),
    mostHeld,
  });
  followed.follow({
    materializer: {
      async derive(_batches, _nowMs, _scope, prepare) {
        await prepare?.();
        return { touchedNodes: new Set(), sessions: 0, changedMinutes: 0, differences: [] };
      },
    },
    epoch: () => epoch,
    watermark: () => new Date(0),
    onTimedOut: async () => {
      timedOut++;
    },
  });
  await vi.advanceTimersByTimeAsync(1);
});
afterEach(() => {
  followed.close();
  vi.useRealTimers();
});

function joined(atMs: number, given: Partial<DerivedChange> = {}): DerivedChange {
  return {
    ...{ organization: "acme", partner: "", reseller: "", session: "s1", room: "", part: 0, startedMs: atMs },
    ...{ edges: [{ level: "participants", atMs, delta: 1 }], agentSpans: [], deadlineMs: 0, ...given },
  };
}

const participants = () => followed.read("organization:acme")?.levels.live_participants;

test("what lies ahead is told at its instant, though nothing is derived then", async () => {
  followed.onSessionsDerived([joined(Date.now() + 90_000)]);
  await vi.advanceTimersByTimeAsync(89_999);
  expect([participants(), changed]).toEqual([0, []]);
  await vi.advanceTimersByTimeAsync(1);
  expect([participants(), changed]).toEqual([1, ["organization:acme", "all"]]);
});

test("many changes that lie ahead one right after the other come to pass ten times a second, and all of them do", async () => {
  const edges = Array.from({ length: 100 }, (_, index) => {
    return { level: "participants", atMs: Date.now() + 1_000 + index * 10, delta: 1 };
  });
  followed.onSessionsDerived([joined(Date.now(), { edges })]);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(tellings).toBeLessThanOrEqual(11);
  expect(participants()).toBe(100);
});

test("what is too much to keep is not fetched from storage at the start, nor until there is less of it", async () => {
  stored = mostHeld + 1;
  followed.onTrackLost();
  const before = loads;
  await vi.advanceTimersByTimeAsync(120_000);
  expect([participants(), loads]).toEqual([undefined, before]);
  stored = mostHeld;
  await vi.advanceTimersByTimeAsync(61_000);
  expect([participants(), loads]).toEqual([0, before + 1]);
});

test("what times out is derived at that moment, and many at once together", async () => {
  const deadlineMs = Date.now() + 5_000;
  const sessions = Array.from({ length: 50 }, (_, index) => joined(Date.now(), { session: `s${index}`, deadlineMs }));
  followed.onSessionsDerived(sessions);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(timedOut).toBe(0);
  await vi.advanceTimersByTimeAsync(10);
  expect(timedOut).toBe(1);
});

test("nothing is answered in another epoch, nor while another process derives, until storage was read again", async () => {
  epoch = undefined;
  expect(participants()).toBeUndefined();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([participants(), loads]).toEqual([undefined, 1]);
  epoch = 2;
  await vi.advanceTimersByTimeAsync(1_000);
  expect([participants(), loads]).toEqual([0, 2]);
});

test("after a derivation that failed nothing is answered while storage is away, and what it says once it is back", async () => {
  followed.onSessionsDerived([joined(Date.now())]);
  isStorageAway = true;
  followed.onTrackLost();
  followed.onSessionsDerived([joined(Date.now())]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(participants()).toBeUndefined();
  isStorageAway = false;
  await vi.advanceTimersByTimeAsync(11_000);
  expect(participants()).toBe(0);
});

test("more than is kept is not kept: storage answers, until less runs", async () => {
  const many = Array.from({ length: mostHeld + 1 }, (_, index) => joined(Date.now(), { session: `s${index}` }));
  followed.onSessionsDerived(many);
  expect(participants()).toBeUndefined();
  await vi.advanceTimersByTimeAsync(61_000);
  expect(participants()).toBe(0);
});
