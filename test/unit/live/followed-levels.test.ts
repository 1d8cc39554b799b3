import { pino } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ClickHouse } from "../../../server/clickhouse/client.ts";
import { FollowedLevels } from "../../../server/live/followed-levels.ts";
import { loadLiveLevels } from "../../../server/live/load-live-levels.ts";
import type { DerivedChange } from "../../../server/rollups/derived-change.ts";

const maxHeld = 200;
let followed: FollowedLevels;
let epoch: number | undefined;
let loads: number;
let changed: string[];
let timedOut: number;
let isStorageAway: boolean;
/** What storage says that memory would have to keep of each organization. */
let stored: { organization: string; held: number }[];
let withouts: unknown[];
let notifiable: number;

beforeEach(async () => {
  vi.useFakeTimers();
  [epoch, loads, timedOut, isStorageAway, changed] = [1, 0, 0, false, []];
  [stored, withouts, notifiable] = [[], [], 0];
  const selectColumns = async (_sql: string, { without }: { without: string[] }) => {
    loads++;
    withouts.push(without);
    if (isStorageAway) throw new Error("storage is away");
    return [];
  };
  const select = async () => stored.map((one) => ({ partners: [], resellers: ["r1"], ...one }));
  followed = new FollowedLevels({
    clickhouse: { selectColumns, select } as unknown as ClickHouse,
    tenantOf: (organization) => organization.split("-")[0] as string,
    onChanged(nodes) {
      notifiable++;
      changed.push(...nodes);
    },
    log: pino({ level: "silent" }),
    maxHeld,
  });
  followed.follow({
    materializer: {
      async derive(_batches, _nowMs, _scope, prepare) {
        await prepare?.();
        return { changedNodes: new Set(), sessions: 0, changedMinutes: 0, differences: [] };
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
    organization: "acme",
    partner: "",
    reseller: "",
    session: "s1",
    room: "",
    part: 0,
    startedMs: atMs,
    edges: [{ level: "participants", atMs, delta: 1 }],
    agentSpans: [],
    deadlineMs: 0,
    ...given,
  };
}

const participants = () => followed.read("organization:acme")?.levels.live_participants;

test("what lies ahead is published at its instant, though nothing is derived then", async () => {
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
  expect(notifiable).toBeLessThanOrEqual(11);
  expect(participants()).toBe(100);
});

test("what is too much to keep is not fetched from storage at the start, nor until there is less of it", async () => {
  stored = [
    { organization: "acme", held: maxHeld },
    { organization: "little", held: 1 },
  ];
  followed.onInvalidated();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(withouts).toEqual([[], ["acme"]]);
  const readable = ["organization:acme", "reseller:r1", "all", "organization:little"].filter((node) =>
    followed.read(node),
  );
  expect(readable).toEqual(["organization:little"]);
  followed.onSessionsDerived([joined(Date.now()), joined(Date.now(), { organization: "little", partner: "p1" })]);
  expect([participants(), followed.read("partner:p1")?.levels.live_participants]).toEqual([undefined, 1]);
  stored = [{ organization: "acme", held: maxHeld }];
  await vi.advanceTimersByTimeAsync(61_000);
  expect([participants(), withouts.at(-1)]).toEqual([0, []]);
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
  followed.onInvalidated();
  followed.onSessionsDerived([joined(Date.now())]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(participants()).toBeUndefined();
  isStorageAway = false;
  await vi.advanceTimersByTimeAsync(11_000);
  expect(participants()).toBe(0);
});

const manyOf = (organization: string, many: number, given: Partial<DerivedChange> = {}) =>
  Array.from({ length: many }, (_, index) => joined(Date.now(), { organization, session: `s${index}`, ...given }));

test("more than is kept is not kept: storage answers, until less runs", async () => {
  followed.onSessionsDerived(manyOf("acme", maxHeld + 1));
  expect(participants()).toBeUndefined();
  await vi.advanceTimersByTimeAsync(61_000);
  expect(participants()).toBe(0);
});

test("who has too much pushes nobody else out of memory, whose levels and those above them are answered and published as before", async () => {
  const atMs = Date.now() + 5_000;
  const ahead = { edges: [{ level: "participants", atMs, delta: 1 }], deadlineMs: atMs };
  followed.onSessionsDerived(manyOf("little-1", 10, { ...ahead, partner: "p1" }));
  followed.onSessionsDerived(manyOf("large-1", 30, { reseller: "r2" }));
  followed.onSessionsDerived(manyOf("large-2", maxHeld, { ...ahead, reseller: "r1" }));
  const readable = () =>
    ["organization:little-1", "partner:p1", "organization:large-1", "reseller:r2"].map(
      (node) => followed.read(node)?.levels.live_participants,
    );
  expect(readable()).toEqual([0, 0, 30, 30]);
  const unread = ["organization:large-2", "agent:large-2/bot", "reseller:r1", "all"];
  expect(unread.map((node) => followed.read(node))).toEqual(unread.map(() => undefined));
  changed = [];
  await vi.advanceTimersByTimeAsync(5_500);
  expect(readable()).toEqual([10, 10, 30, 30]);
  expect(changed).toEqual(expect.arrayContaining(["organization:little-1", "partner:p1"]));
  expect(timedOut).toBe(1);
});

test("after a derivation that failed storage is read again at once, also where somebody is left out until later", async () => {
  followed.onSessionsDerived(manyOf("acme", maxHeld + 1));
  const loadsBefore = loads;
  followed.onInvalidated();
  await vi.advanceTimersByTimeAsync(1_000);
  expect([participants(), loads - loadsBefore]).toEqual([0, 1]);
});

test("where storage has more than can be begun with, what is followed until then is answered on", async () => {
  followed.onSessionsDerived(manyOf("little-1", 10));
  followed.onSessionsDerived(manyOf("large-1", maxHeld));
  stored = Array.from({ length: maxHeld + 1 }, (_, index) => ({ organization: `large-${index}`, held: 1 }));
  await vi.advanceTimersByTimeAsync(61_000);
  expect(followed.read("organization:little-1")?.levels.live_participants).toBe(10);
});

test("a tenant's organizations beyond its share are left out however many they are, and no statement names more than a server takes", async () => {
  const name = (index: number) => `large-${index}-${"ü".repeat(index % 120)}`;
  const all = Array.from({ length: 4_200 }, (_, index) => ({ organization: name(index), held: 50 }));
  const pieces: { after: string; until: string; without: string[] }[] = [];
  const rows = [{ organization: "little-1", held: 10 }, ...all].map((one) => ({ partners: [], resellers: [], ...one }));
  const selectColumns = async (_sql: string, piece: (typeof pieces)[number]) => {
    pieces.push(piece);
    return [];
  };
  const clickhouse = { selectColumns, select: async () => rows } as unknown as ClickHouse;
  const kept = await loadLiveLevels(clickhouse, 0, 150_000, (organization) => organization.split("-")[0] as string);
  expect(kept?.read("organization:little-1", 0)).toBeDefined();
  expect(kept?.read("all", 0)).toBeUndefined();
  const named = pieces.flatMap(({ without }) => without);
  expect(named.length).toBeGreaterThan(1_000);
  expect(new Set(named).size).toBe(named.length);
  for (const { without } of pieces) expect(Buffer.byteLength(without.join(""))).toBeLessThanOrEqual(65_536);
  expect([pieces[0]?.after, pieces.at(-1)?.until]).toEqual(["", ""]);
  expect(pieces.slice(1).map(({ after }) => after)).toEqual(pieces.slice(0, -1).map(({ until }) => until));
});
