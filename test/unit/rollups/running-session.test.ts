import fc from "fast-check";
import { expect, test } from "vitest";
import { defaultAliveWithinMs } from "../../../server/catalog/levels.ts";
import type { LevelEvent } from "../../../server/rollups/level-events.ts";
import type { EdgeColumns } from "../../../server/rollups/minute-changes.ts";
import { type Edge, resolveSession } from "../../../server/rollups/resolve-session.ts";
import { RunningSession } from "../../../server/rollups/running-session.ts";
import { RunningSessions } from "../../../server/rollups/running-sessions.ts";
import { foldEvent, type KnownMember, memberKeyOf, memberOfEvent } from "../../../server/rollups/session-members.ts";

const path = { organization: "acme", session: "s", room: "r", partner: "", reseller: "" };
const beganMs = Date.parse("2026-05-05T10:00:00Z");

const eventArbitrary = fc
  .record({
    level: fc.constantFrom("participants", "participants", "participants", "recordings", "session"),
    action: fc.constantFrom("start", "start", "alive", "end", "end"),
    interval: fc.constantFrom("i1", "i2", "i3", "i4", ""),
    user: fc.constantFrom("u1", "u2"),
    seconds: fc.integer({ min: 0, max: 400 }),
    startedSeconds: fc.oneof({ weight: 4, arbitrary: fc.constant(-1) }, fc.integer({ min: 0, max: 400 })),
    aliveWithinMs: fc.constantFrom(0, 0, 0, 30_000, 90_000),
    dims: fc.constantFrom("", "", '{"device":"mobile"}'),
  })
  .map(({ seconds, startedSeconds, level, ...event }): LevelEvent => {
    const timeMs = beganMs + seconds * 1000;
    const startedMs = startedSeconds < 0 ? 0 : beganMs + startedSeconds * 1000;
    const action = level === "session" ? "end" : event.action;
    return { ...path, agent: "", ...event, level, action, timeMs, startedMs };
  });

const stepArbitrary = fc.record({
  events: fc.array(eventArbitrary, { maxLength: 5 }),
  secondsLater: fc.integer({ min: 0, max: 120 }),
});

/** Edges by level and instant, as those who were told of every change have them. */
type Kept = Map<string, { delta: number; starts: number }>;

function add(kept: Kept, level: string, { edge_ms, edge_delta, edge_starts }: EdgeColumns): void {
  edge_ms.forEach((atMs, index) => {
    const key = `${level} ${atMs}`;
    const { delta, starts } = kept.get(key) ?? { delta: 0, starts: 0 };
    const sum = { delta: delta + (edge_delta[index] as number), starts: starts + (edge_starts[index] as number) };
    if (sum.delta === 0 && sum.starts === 0) kept.delete(key);
    else kept.set(key, sum);
  });
}

const asKept = (edges: readonly Edge[]): Kept =>
  new Map(edges.map(({ level, atMs, delta, starts }) => [`${level} ${atMs}`, { delta, starts }]));

test("a session that events fold into one by one is what all of its members are resolved to, and so is the sum of its changes", () => {
  fc.assert(
    fc.property(fc.array(stepArbitrary, { maxLength: 8 }), (steps) => {
      const session = RunningSession.begun(path);
      const members = new Map<string, KnownMember>();
      const kept: Kept = new Map();
      let nowMs = beganMs + 200_000;
      for (const { events, secondsLater } of steps) {
        nowMs += secondsLater * 1000;
        for (const event of events) {
          session.fold(event);
          const fresh = memberOfEvent(event);
          const member = members.get(memberKeyOf(event)) ?? fresh;
          members.set(memberKeyOf(event), member);
          foldEvent(member, event);
        }
        session.resolve(nowMs);
        for (const { level, difference } of session.takeChanges()) add(kept, level, difference);
        const expected = resolveSession([...members.values()], nowMs, defaultAliveWithinMs);
        expect(session.resolved()).toEqual(expected);
        expect(new Map([...kept].sort())).toEqual(new Map([...asKept(expected.edges)].sort()));
      }
    }),
    { numRuns: 2_000 },
  );
});

test("of sessions that are more than memory may hold, the one used longest ago goes first, and each counts with its members", () => {
  const held = new RunningSessions(4);
  const sessionOf = (name: string, members: number) => {
    const session = RunningSession.begun({ ...path, session: name });
    for (let number = 0; number < members; number++) {
      const at = { timeMs: beganMs, startedMs: 0, aliveWithinMs: 0 };
      const said = { level: "participants", action: "start", interval: `${number}`, user: "u", agent: "", dims: "" };
      session.fold({ ...path, session: name, ...at, ...said });
    }
    return session;
  };
  held.hold(sessionOf("a", 2));
  held.hold(sessionOf("b", 2));
  expect(held.sizes).toEqual({ sessions: 2, members: 4 });
  held.hold(sessionOf("a", 2));
  held.hold(sessionOf("c", 1));
  expect(held.get("acme\0b")).toBeUndefined();
  expect(held.sizes).toEqual({ sessions: 2, members: 3 });
  held.hold(sessionOf("large", 5));
  expect(held.sizes).toEqual({ sessions: 0, members: 0 });
});
