import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { expect, test } from "vitest";
import { defaultAliveWithinMs } from "../../../server/catalog/levels.ts";
import { lineColumns } from "../../../server/ingest/accept/event-row.ts";
import { agentSpansOf } from "../../../server/rollups/derived-change.ts";
import { type LevelEvent, LevelLines } from "../../../server/rollups/level-events.ts";
import type { EdgeColumns } from "../../../server/rollups/minute-changes.ts";
import type { Edge } from "../../../server/rollups/resolve-session.ts";
import { RunningSession } from "../../../server/rollups/running-session.ts";
import { RunningSessions } from "../../../server/rollups/running-sessions.ts";
import {
  foldEvent,
  intervalKeyOf,
  intervalOfEvent,
  type KnownInterval,
} from "../../../server/rollups/session-intervals.ts";
import { type SessionPart, sessionParts } from "../../../server/rollups/session-parts.ts";
import { listSteps, openRow, renderSessionRow, sessionRow } from "../../../server/rollups/session-rows.ts";
import { summarize } from "../../../server/rollups/span-summary.ts";
import { resolveSession, stepped } from "../../support/resolve-session.ts";

const path = { organization: "acme", session: "s", room: "r", partner: "", reseller: "" };
const beganMs = Date.parse("2026-05-05T10:00:00Z");

const eventArbitrary = fc
  .record({
    level: fc.constantFrom("participants", "participants", "participants", "recordings", "session"),
    action: fc.constantFrom("start", "start", "alive", "end", "end"),
    interval: fc.constantFrom("i1", "i2", "i3", "i4", ""),
    user: fc.constantFrom("u1", "u2", "u3".padEnd(200, "ü")),
    seconds: fc.integer({ min: 0, max: 400 }),
    startedSeconds: fc.oneof({ weight: 4, arbitrary: fc.constant(-1) }, fc.integer({ min: 0, max: 400 })),
    aliveWithinMs: fc.constantFrom(0, 0, 0, 30_000, 90_000),
    dims: fc.constantFrom(
      "",
      "",
      '{"device":"mobile"}',
      '{"device":"tablet"}',
      '{"device":"\u{1f4f1}"}',
      '{"device":"\uffee"}',
    ),
  })
  .map(({ seconds, startedSeconds, level, ...event }): LevelEvent => {
    const timeMs = beganMs + seconds * 1000;
    const startedMs = startedSeconds < 0 ? 0 : beganMs + startedSeconds * 1000;
    const action = level === "session" ? "end" : event.action;
    return { ...path, agent: event.user === "u1" ? "bot" : "", ...event, level, action, timeMs, startedMs };
  });

const stepArbitrary = fc.record({
  events: fc.array(eventArbitrary, { maxLength: 5 }),
  secondsLater: fc.integer({ min: 0, max: 120 }),
  /** Memory lets go of it, and takes it up again as storage has it. */
  isEvicted: fc.nat(4).map((chance) => chance === 0),
  /** Storage forgets that an earlier event was in the session: a correction, which lets go of it as well. */
  corrected: fc.option(fc.nat(), { freq: 4 }),
});

type Step = typeof stepArbitrary extends fc.Arbitrary<infer Value> ? Value : never;

/** As storage has it. */
function intervalsOf(events: readonly LevelEvent[]): KnownInterval[] {
  const intervals = new Map<string, KnownInterval>();
  for (const event of events) {
    const interval = intervals.get(intervalKeyOf(event)) ?? intervalOfEvent(event);
    intervals.set(intervalKeyOf(event), interval);
    foldEvent(interval, event);
  }
  return [...intervals.values()];
}

/** Edges by level and instant, as those who got every change have them. */
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

function expectSameAfterEvery(steps: readonly Step[], crowd: readonly LevelEvent[]): void {
  let session = RunningSession.begun(path);
  const known: LevelEvent[] = [];
  let kept: Kept = new Map();
  let nowMs = beganMs + 200_000;
  const resolve = () => resolveSession(intervalsOf(known), nowMs, defaultAliveWithinMs);
  for (const [index, { events, secondsLater, isEvicted, corrected }] of steps.entries()) {
    nowMs += secondsLater * 1000;
    if (corrected !== null && known.length > 0) known.splice(corrected % known.length, 1);
    if (isEvicted || corrected !== null) {
      session = RunningSession.of({ ...path, intervals: intervalsOf(known) });
      session.resolve(nowMs);
      session.takeChanges();
      kept = asKept(resolve().edges);
    }
    const added = index === 0 ? [...crowd, ...events] : events;
    for (const event of added) session.fold(event);
    known.push(...added);
    session.resolve(nowMs);
    for (const { level, difference } of session.takeChanges()) add(kept, level, difference);
    const expected = resolve();
    expect(new Map([...kept].sort())).toEqual(new Map([...asKept(expected.edges)].sort()));
    const [part] = sessionParts(expected, undefined, path);
    const row = sessionRow({ ...session.named, intervals: intervalsOf(known) }, expected, part as SessionPart, [], 1);
    const { head, lists, agentSpans, summary } = session.row(path, 1);
    expect(renderSessionRow(head, lists)).toBe(renderSessionRow(row, stepped(listSteps(row))));
    expect(agentSpans).toEqual(agentSpansOf(expected.spans));
    expect(openRow(path, summary, 1, nowMs)).toEqual(openRow(path, summarize(expected.spans), 1, nowMs));
    expect(session.weight).toBe(RunningSession.of({ ...path, intervals: intervalsOf(known) }).weight);
  }
}

test("a session that events fold into one by one is what all of its intervals are resolved to, and so is the sum of its changes, also where it was let go and corrected between", () => {
  const lives = fc.array(stepArbitrary, { maxLength: 8 });
  fc.assert(
    fc.property(lives, (steps) => expectSameAfterEvery(steps, [])),
    { numRuns: 1_000 },
  );
});

test("so is an interval whose last sign of life came before its start, when its session ends later on, however late that is known", () => {
  const sign = {
    ...path,
    level: "participants",
    interval: "i1",
    user: "u1",
    agent: "",
    dims: "",
    aliveWithinMs: 90_000,
  };
  const at = (seconds: number) => beganMs + seconds * 1000;
  const alive: LevelEvent = { ...sign, action: "alive", timeMs: at(50), startedMs: at(100) };
  const step = { secondsLater: 300, isEvicted: false, corrected: null };
  for (const seconds of [40, 60, 100, 101, 120, 140, 141, 200]) {
    const ended = {
      ...sign,
      level: "session",
      interval: "",
      user: "",
      action: "end",
      timeMs: at(seconds),
      startedMs: 0,
    };
    for (const later of [[], [alive]])
      expectSameAfterEvery(
        [
          { ...step, events: [alive] },
          { ...step, events: [ended, ...later] },
        ],
        [],
      );
  }
});

test("so is a session of hundreds, of which only what changed is written anew", () => {
  const crowd = Array.from({ length: 700 }, (_, index): LevelEvent => {
    const user = `user ${index % 2 === 0 ? index : `'${index}\\`}`;
    const event = { ...joinOf(user, (index * 37) % 400), agent: index % 3 === 0 ? "bot" : "" };
    return index % 2 === 0 ? { ...event, interval: `crowd ${index}` } : event;
  });
  // Some of the crowd leave and some come back, at any instant.
  const ofCrowd = fc
    .record({ pick: fc.nat(crowd.length - 1), action: fc.constantFrom("end", "alive", "start"), seconds: fc.nat(400) })
    .map(({ pick, action, seconds }): LevelEvent => {
      return { ...(crowd[pick] as LevelEvent), action, timeMs: beganMs + seconds * 1000 };
    });
  const step = stepArbitrary.chain((one) =>
    fc.array(ofCrowd, { maxLength: 6 }).map((more): Step => ({ ...one, events: [...one.events, ...more] })),
  );
  fc.assert(
    fc.property(fc.array(step, { minLength: 2, maxLength: 8 }), (steps) => expectSameAfterEvery(steps, crowd)),
    { numRuns: 25 },
  );
});

test("of sessions that are more than memory may hold, the one used longest ago goes first, and each counts with its intervals", () => {
  const held = new RunningSessions(4);
  const sessionOf = (name: string, intervals: number) => {
    const session = RunningSession.begun({ ...path, session: name });
    for (let number = 0; number < intervals; number++) {
      const at = { timeMs: beganMs, startedMs: 0, aliveWithinMs: 0 };
      const said = { level: "participants", action: "start", interval: `${number}`, user: "u", agent: "", dims: "" };
      session.fold({ ...path, session: name, ...at, ...said });
    }
    return session;
  };
  held.hold(sessionOf("a", 2));
  held.hold(sessionOf("b", 2));
  expect(held.sizes).toEqual({ sessions: 2, intervals: 4 });
  held.hold(sessionOf("a", 2));
  held.hold(sessionOf("c", 1));
  expect(held.get("acme\0b")).toBeUndefined();
  expect(held.sizes).toEqual({ sessions: 2, intervals: 3 });
  held.hold(sessionOf("larger than all that may be held", 5));
  expect(held.sizes, "what is not held evicts no other").toEqual({ sessions: 2, intervals: 3 });
});

const joinOf = (user: string, seconds: number): LevelEvent => ({
  ...path,
  user,
  level: "participants",
  action: "start",
  interval: "",
  agent: "",
  dims: "",
  timeMs: beganMs + seconds * 1000,
  startedMs: 0,
  aliveWithinMs: 0,
});

test("a user who comes and goes for hours takes as much memory as several intervals, and one who says that it lives does not", () => {
  const held = new RunningSessions(50);
  const sessionOf = (action: string, signs: number) => {
    const session = RunningSession.begun(path);
    for (let second = 0; second < signs; second++) session.fold({ ...joinOf("u", second), action });
    return session;
  };
  for (const [action, signs] of [
    ["alive", 20_000],
    ["start", 100],
  ] as const) {
    held.hold(sessionOf(action, signs));
    expect(held.sizes).toEqual({ sessions: 1, intervals: 1 });
  }
  held.hold(sessionOf("start", 1_000));
  expect(held.sizes).toEqual({ sessions: 0, intervals: 0 });
});

test("intervals with long names take as much memory as several, and in a large session of twice as many", () => {
  const weightOf = (intervals: number, user: string) => {
    const session = RunningSession.begun(path);
    for (let number = 0; number < intervals; number++)
      session.fold({ ...joinOf(user, 0), interval: `${number}`.padEnd(user.length, "ü"), agent: user });
    return session.weight;
  };
  expect([weightOf(100, "u"), weightOf(1_000, "u")]).toEqual([100, 1_000]);
  const long = "u".padEnd(256, "ü");
  expect(weightOf(100, long)).toBeGreaterThan(400);
  expect(weightOf(1_000, long)).toBeGreaterThan(8_000);
});

/** A line with columns as long as they may be beside those that a session keeps. */
function longLineOf(number: number): Buffer {
  const values: Partial<Record<(typeof lineColumns)[number], string>> = {
    checked: "1",
    organization: `organization ${number}`,
    session: `a session of some length ${number}`,
    room: `a room of some length ${number}`,
    user: `a user of some length ${number}`,
    interval: `an interval of some length ${number}`,
    time_ms: `${beganMs + number}`,
    started_ms: "0",
    value: "\\N",
    properties: "p".repeat(16_384),
    dims: '{"device":"a mobile phone"}',
    level: "participants",
    level_action: "start",
    alive_within_ms: "0",
    key: "key",
  };
  return Buffer.from(`${lineColumns.map((name) => values[name] ?? "").join("\t")}\n`);
}

test("what memory holds of a session keeps nothing else of the events' lines", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const held = new RunningSessions();
  const count = 2_000;
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let number = 0; number < count; number++) {
    const lines = new LevelLines([longLineOf(number)]);
    for (const { place } of lines.lines()) {
      const event = lines.eventAt(place);
      const session = RunningSession.begun(event);
      session.fold(event);
      held.hold(session);
    }
  }
  collect();
  const bytesEach = (process.memoryUsage().heapUsed - before) / count;
  expect(held.sizes).toEqual({ sessions: count, intervals: count });
  expect(bytesEach).toBeLessThan(8_192);
});
