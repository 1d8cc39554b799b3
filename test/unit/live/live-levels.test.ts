import fc from "fast-check";
import { expect, test } from "vitest";
import { usualRooms } from "../../../server/contract/live-rooms.ts";
import { LiveLevels, type NodeReading } from "../../../server/live/live-levels.ts";
import type { DerivedChange } from "../../../server/rollups/derived-change.ts";

const startMs = Date.UTC(2026, 10, 29, 9);

/** Where nothing is left out. */
function readAll(levels: LiveLevels, node: string, atMs: number): NodeReading {
  const reading = levels.read(node, atMs);
  if (!reading) throw new Error(`${node} is left out`);
  return reading;
}

function changeOf(given: Partial<DerivedChange> = {}): DerivedChange {
  return {
    organization: "acme",
    partner: "p1",
    reseller: "r1",
    session: "s1",
    room: "daily",
    part: 0,
    startedMs: startMs,
    edges: [],
    agentSpans: [],
    deadlineMs: 0,
    ...given,
  };
}

const joined = (atMs: number, delta = 1) => [
  { level: "participants", atMs, delta },
  { level: "sessions", atMs, delta: Math.sign(delta) },
];

test("what lies ahead counts from its instant on, and what is taken back before never does", () => {
  const levels = new LiveLevels([], startMs);
  levels.apply([changeOf({ edges: joined(startMs + 1_000) })], startMs);
  levels.apply([changeOf({ session: "s2", edges: joined(startMs + 1_000) })], startMs);
  levels.apply([changeOf({ session: "s2", edges: joined(startMs + 1_000, -1) })], startMs);
  expect(levels.nextMs()).toBe(startMs + 1_000);
  expect(readAll(levels, "all", startMs + 999).levels.live_participants).toBe(0);
  expect(readAll(levels, "all", startMs + 1_000)).toMatchObject({
    levels: { live_participants: 1, live_sessions: 1 },
    rooms: [{ session: "s1", participants: 1 }],
  });
});

test("a session that moves to another reseller is at the new one and no more at the former", () => {
  const levels = new LiveLevels([changeOf({ edges: joined(startMs) })], startMs);
  levels.apply([changeOf({ reseller: "r2", partner: "" })], startMs);
  const participantsOf = (node: string) => readAll(levels, node, startMs).levels.live_participants;
  expect(["reseller:r1", "partner:p1", "reseller:r2", "organization:acme", "all"].map(participantsOf)).toEqual([
    0, 0, 1, 1, 1,
  ]);
  expect(readAll(levels, "reseller:r1", startMs).rooms).toEqual([]);
});

test("a session that runs while its organization moves is one room of it, and of each reseller in turn", () => {
  const movedMs = startMs + 5_000;
  const parts = [
    changeOf({ partner: "", reseller: "" }),
    changeOf({ part: 1, edges: [...joined(startMs), ...joined(movedMs, -1)] }),
    changeOf({ part: 2, reseller: "r2", startedMs: movedMs, edges: joined(movedMs) }),
  ];
  const levels = new LiveLevels(parts, startMs);
  const roomsOf = (node: string, atMs: number) => readAll(levels, node, atMs).rooms.map(({ started_at }) => started_at);
  const [began, moved] = [startMs, movedMs].map((atMs) => new Date(atMs).toISOString());
  expect([roomsOf("reseller:r1", startMs), roomsOf("reseller:r2", startMs)]).toEqual([[began], []]);
  expect([roomsOf("reseller:r1", movedMs), roomsOf("reseller:r2", movedMs)]).toEqual([[], [moved]]);
  expect([roomsOf("organization:acme", movedMs), roomsOf("all", movedMs)]).toEqual([[began], [began]]);
});

test("rooms are the longest-running, at most a hundred, in order", () => {
  const started = Array.from({ length: 300 }, (_, index) => (index * 7_919) % 300);
  const changes = started.map((place) =>
    changeOf({ session: `s${place}`, startedMs: startMs + place, edges: joined(startMs + place) }),
  );
  const { rooms } = readAll(new LiveLevels(changes, startMs + 1_000), "organization:acme", startMs + 1_000);
  expect(rooms.map(({ session }) => session)).toEqual(Array.from({ length: usualRooms }, (_, place) => `s${place}`));
});

test("an interval that was silent for too long is reported once when it is due, and not while signs of life come", () => {
  const levels = new LiveLevels([changeOf({ edges: joined(startMs), deadlineMs: startMs + 1_000 })], startMs);
  levels.apply([changeOf({ deadlineMs: startMs + 3_000 })], startMs + 500);
  expect([1_001, 3_000, 3_001, 3_002].map((ms) => levels.takeTimedOut(startMs + ms))).toEqual([
    false,
    false,
    true,
    false,
  ]);
});

test("an agent's levels are those of its own intervals", () => {
  const span = { agent: "bot/1", level: "participants", startMs, endMs: 0 };
  const other = { ...span, agent: "bot-2" };
  const edges = [{ level: "participants", atMs: startMs, delta: 3 }];
  const levels = new LiveLevels([changeOf({ edges, agentSpans: [span, other] })], startMs);
  expect(readAll(levels, "agent:acme/bot%2F1", startMs)).toMatchObject({
    levels: { live_participants: 1, live_sessions: 1 },
    rooms: [{ participants: 1 }],
  });
  levels.apply([changeOf({ agentSpans: [{ ...span, endMs: startMs + 10 }, other] })], startMs);
  expect(levels.takeChanged()).toContain("agent:acme/bot%2F1");
  expect(readAll(levels, "agent:acme/bot%2F1", startMs + 10).levels.live_participants).toBe(0);
});

/** Intervals of as many agents, one ending after the other; counts how often it is looked whose they are and when they end. */
function countedSpans(agents: number) {
  let looks = 0;
  const spans = Array.from({ length: agents }, (_, index) => ({
    level: "participants",
    startMs,
    get agent() {
      looks++;
      return `bot-${index}`;
    },
    get endMs() {
      looks++;
      return startMs + 1_000 + index;
    },
  }));
  const left = spans.map((_, index) => ({ level: "participants", atMs: startMs + 1_000 + index, delta: -1 }));
  const edges = [{ level: "participants", atMs: startMs, delta: agents }, ...left];
  return {
    change: changeOf({ edges, agentSpans: spans }),
    looksDuring(work: () => void): number {
      const before = looks;
      work();
      return looks - before;
    },
  };
}

test("however many changes of one session come to pass at once, it is looked through once for whose they are", () => {
  const agents = 1_000;
  const { change, looksDuring } = countedSpans(agents);
  const levels = new LiveLevels([change], startMs);
  const changed: string[] = [];
  const looks = looksDuring(() => {
    levels.advance(startMs + 1_000 + agents / 2);
    changed.push(...levels.takeChanged());
  });
  expect(looks).toBeLessThan(10 * agents);
  expect(changed).toContain("agent:acme/bot-0");
  expect(changed).not.toContain(`agent:acme/bot-${agents - 1}`);
});

test("all agents of an organization are read at what one look through its sessions costs", () => {
  const agents = 1_000;
  const { change, looksDuring } = countedSpans(agents);
  const levels = new LiveLevels([change], startMs);
  let participants = 0;
  const looks = looksDuring(() => {
    for (let index = 0; index < agents; index++)
      participants += readAll(levels, `agent:acme/bot-${index}`, startMs).levels.live_participants;
  });
  expect(participants).toBe(agents);
  expect(looks).toBeLessThan(10 * agents);
});

test("in a session with many agents only those that changed are reported, when one more joins and when one leaves", () => {
  const spans = Array.from({ length: 100 }, (_, index) => {
    return { agent: `bot-${index}`, level: "participants", startMs, endMs: 0 };
  });
  const edges = [{ level: "participants", atMs: startMs, delta: 100 }];
  const levels = new LiveLevels([changeOf({ edges, agentSpans: spans.slice(1) })], startMs);
  const changedAgents = () => [...levels.takeChanged()].filter((node) => node.startsWith("agent:"));
  levels.apply([changeOf({ agentSpans: spans })], startMs);
  expect(changedAgents()).toEqual(["agent:acme/bot-0"]);
  levels.apply([changeOf({ agentSpans: spans.slice(0, -1) })], startMs);
  expect(changedAgents()).toEqual(["agent:acme/bot-99"]);
  levels.apply([changeOf({ agentSpans: spans.slice(0, -1).map((span) => ({ ...span })) })], startMs);
  expect(changedAgents()).toEqual([]);
});

test("nothing is kept of what has ended", () => {
  const levels = new LiveLevels([], startMs);
  for (let session = 0; session < 100; session++) {
    const given = { session: `s${session}`, deadlineMs: startMs + 100 };
    levels.apply([changeOf({ ...given, edges: joined(startMs) })], startMs);
    levels.apply([changeOf({ ...given, deadlineMs: 0, edges: joined(startMs + 50, -1) })], startMs + 10);
  }
  expect(levels.held).toBeGreaterThan(100);
  levels.advance(startMs + 100);
  levels.takeTimedOut(startMs + 1_000);
  expect(levels.held).toBe(0);
  expect(readAll(levels, "all", startMs + 100)).toEqual({
    levels: { live_participants: 0, live_sessions: 0, active_recordings: 0 },
    rooms: [],
  });
});

test("sessions that ended before they could time out leave next to nothing behind", () => {
  const levels = new LiveLevels([], startMs);
  for (let session = 0; session < 20_000; session++) {
    const given = { session: `s${session}`, deadlineMs: startMs + 12 * 3_600_000 };
    levels.apply([changeOf({ ...given, edges: joined(startMs) })], startMs);
    levels.apply([changeOf({ ...given, deadlineMs: 0, edges: joined(startMs, -1) })], startMs);
  }
  expect(levels.held).toBeLessThan(2_000);
});

const drawn = fc.record({
  session: fc.nat(3),
  part: fc.nat(2),
  path: fc.nat(3),
  edges: fc.array(fc.record({ atMs: fc.integer({ min: -20, max: 40 }), delta: fc.constantFrom(-2, -1, 1, 2) }), {
    maxLength: 4,
  }),
  passMs: fc.nat(8),
});
const paths = [
  { partner: "p1", reseller: "r1" },
  { partner: "p1", reseller: "" },
  { partner: "", reseller: "r1" },
  { partner: "", reseller: "" },
];

test("whatever changes in whatever order, each node has the sum of what lies behind of all that stands below it", () => {
  fc.assert(
    fc.property(fc.array(drawn, { maxLength: 30 }), (steps) => {
      const levels = new LiveLevels([], startMs);
      const parts = new Map<string, { path: number; edges: { atMs: number; delta: number }[] }>();
      let nowMs = startMs;
      for (const { session, part, path, edges, passMs } of steps) {
        nowMs += passMs;
        const own = edges.map(({ atMs, delta }) => ({ level: "recordings", atMs: startMs + atMs, delta }));
        levels.apply([changeOf({ session: `s${session}`, part, ...paths[path], edges: own })], nowMs);
        const known = parts.get(`${session} ${part}`)?.edges ?? [];
        parts.set(`${session} ${part}`, { path, edges: [...known, ...own] });
        const sumOf = (isBelow: (path: (typeof paths)[number]) => boolean) =>
          [...parts.values()]
            .filter((one) => isBelow(paths[one.path] as (typeof paths)[number]))
            .flatMap((one) => one.edges)
            .reduce((sum, { atMs, delta }) => sum + (atMs <= nowMs ? delta : 0), 0);
        const recordingsOf = (node: string) => readAll(levels, node, nowMs).levels.active_recordings;
        expect(recordingsOf("all")).toBe(sumOf(() => true));
        expect(recordingsOf("organization:acme")).toBe(sumOf(() => true));
        expect(recordingsOf("reseller:r1")).toBe(sumOf(({ reseller }) => reseller === "r1"));
        expect(recordingsOf("partner:p1")).toBe(sumOf(({ partner }) => partner === "p1"));
      }
    }),
  );
});
