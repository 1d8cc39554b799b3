import { describe, expect, test } from "vitest";
import {
  crossedTogether,
  endPeriod,
  type Lifecycle,
  nextState,
  notified,
  type Pacing,
  type Reading,
} from "../../../server/alerts/next-state.ts";

const minute = 60_000;
const hour = 60 * minute;
const at0 = Date.UTC(2026, 10, 2, 9);
const atOnce: Pacing = { forMs: 0, repeatMs: null, isOncePerPeriod: false, isSilenced: false };
const afterFive: Pacing = { ...atOnce, forMs: 5 * minute };
const hourly: Pacing = { ...atOnce, repeatMs: hour };
const once: Pacing = { ...atOnce, isOncePerPeriod: true };

const reading = (finding: Reading["finding"], afterMs = 0): Reading => ({ finding, atMs: at0 + afterMs });
const lifecycle = (edit: Partial<Lifecycle>): Lifecycle => ({
  state: "firing",
  atMs: at0,
  firedAtMs: at0,
  resolvedAtMs: null,
  due: null,
  dueSinceMs: null,
  notifiedAtMs: at0,
  isQuiet: false,
  isAcknowledged: false,
  ...edit,
});
const pending = lifecycle({ state: "pending", firedAtMs: null, notifiedAtMs: null });
const unreported = lifecycle({ due: "alert.firing", dueSinceMs: at0, notifiedAtMs: null });
const resolved = lifecycle({ state: "resolved", resolvedAtMs: at0 + minute });

interface Transition {
  name: string;
  from: Lifecycle | undefined;
  reading: Reading;
  pacing: Pacing;
  to: Partial<Lifecycle> | undefined;
}

const transitions: readonly Transition[] = [
  { name: "ok stays ok while it clears", from: undefined, reading: reading("clears"), pacing: atOnce, to: undefined },
  {
    name: "ok stays ok between the bounds",
    from: undefined,
    reading: reading("between"),
    pacing: atOnce,
    to: undefined,
  },
  { name: "ok stays ok without data", from: undefined, reading: reading("unknown"), pacing: atOnce, to: undefined },
  {
    name: "ok fires at once without a time to hold",
    from: undefined,
    reading: reading("holds"),
    pacing: atOnce,
    to: { state: "firing", firedAtMs: at0, due: "alert.firing" },
  },
  {
    name: "ok is pending with a time to hold, and sends nothing",
    from: undefined,
    reading: reading("holds"),
    pacing: afterFive,
    to: { state: "pending", firedAtMs: null, due: null },
  },
  {
    name: "pending waits until it has held for long enough",
    from: pending,
    reading: reading("holds", 5 * minute - 1),
    pacing: afterFive,
    to: { state: "pending", due: null },
  },
  {
    name: "pending fires when it has held for long enough",
    from: pending,
    reading: reading("holds", 5 * minute),
    pacing: afterFive,
    to: { state: "firing", atMs: at0, firedAtMs: at0 + 5 * minute, due: "alert.firing" },
  },
  {
    name: "pending is ok again when it clears",
    from: pending,
    reading: reading("clears", 1),
    pacing: afterFive,
    to: undefined,
  },
  {
    name: "pending begins anew between the bounds",
    from: pending,
    reading: reading("between", 1),
    pacing: afterFive,
    to: undefined,
  },
  {
    name: "pending is ok without data",
    from: pending,
    reading: reading("unknown", 1),
    pacing: afterFive,
    to: undefined,
  },
  {
    name: "firing is sent once while it holds",
    from: lifecycle({}),
    reading: reading("holds", 48 * hour),
    pacing: atOnce,
    to: { state: "firing", due: null },
  },
  {
    name: "firing stays due until it is sent",
    from: unreported,
    reading: reading("holds", minute),
    pacing: atOnce,
    to: { state: "firing", due: "alert.firing", dueSinceMs: at0 },
  },
  {
    name: "firing goes on between the bounds",
    from: lifecycle({}),
    reading: reading("between", minute),
    pacing: atOnce,
    to: { state: "firing", due: null },
  },
  {
    name: "firing is repeated after its hours",
    from: lifecycle({}),
    reading: reading("holds", hour),
    pacing: hourly,
    to: { state: "firing", due: "alert.reminder" },
  },
  {
    name: "firing is not repeated before its hours",
    from: lifecycle({}),
    reading: reading("holds", hour - 1),
    pacing: hourly,
    to: { state: "firing", due: null },
  },
  {
    name: "what somebody acknowledged is not repeated",
    from: lifecycle({ isAcknowledged: true }),
    reading: reading("holds", 5 * hour),
    pacing: hourly,
    to: { state: "firing", due: null },
  },
  {
    name: "firing resolves and says so",
    from: lifecycle({}),
    reading: reading("clears", minute),
    pacing: atOnce,
    to: { state: "resolved", resolvedAtMs: at0 + minute, due: "alert.resolved" },
  },
  {
    name: "what somebody acknowledged resolves and says so",
    from: lifecycle({ isAcknowledged: true }),
    reading: reading("clears", minute),
    pacing: atOnce,
    to: { state: "resolved", due: "alert.resolved" },
  },
  {
    name: "what was held back while nobody wanted a message resolves without a word",
    from: unreported,
    reading: reading("clears", minute),
    pacing: { ...atOnce, isSilenced: true },
    to: { state: "resolved", due: null },
  },
  {
    name: "a threshold of a quota that a correction undoes before it was sent resolves without a message",
    from: unreported,
    reading: reading("clears", minute),
    pacing: once,
    to: { state: "resolved", due: null },
  },
  {
    name: "what came and went before anybody was notified is still sent",
    from: unreported,
    reading: reading("clears", minute),
    pacing: atOnce,
    to: { state: "resolved", resolvedAtMs: at0 + minute, due: "alert.firing", dueSinceMs: at0 },
  },
  {
    name: "firing has no data when there is nothing to evaluate by",
    from: lifecycle({}),
    reading: reading("unknown", minute),
    pacing: hourly,
    to: { state: "no_data", due: null },
  },
  {
    name: "a reminder that waits is dropped without data",
    from: lifecycle({ due: "alert.reminder" }),
    reading: reading("unknown", minute),
    pacing: hourly,
    to: { state: "no_data", due: null },
  },
  {
    name: "no data goes on firing, unsaid, when it holds again",
    from: lifecycle({ state: "no_data" }),
    reading: reading("holds", minute),
    pacing: atOnce,
    to: { state: "firing", due: null },
  },
  {
    name: "no data resolves and says so when it clears",
    from: lifecycle({ state: "no_data" }),
    reading: reading("clears", minute),
    pacing: atOnce,
    to: { state: "resolved", due: "alert.resolved" },
  },
  {
    name: "no data goes on firing between the bounds",
    from: lifecycle({ state: "no_data" }),
    reading: reading("between", minute),
    pacing: atOnce,
    to: { state: "firing", due: null },
  },
  {
    name: "no data stays so while there is nothing to evaluate by, and is not repeated",
    from: lifecycle({ state: "no_data" }),
    reading: reading("unknown", 9 * hour),
    pacing: hourly,
    to: { state: "no_data", due: null },
  },
  {
    name: "resolved stays resolved between the bounds",
    from: resolved,
    reading: reading("between", hour),
    pacing: atOnce,
    to: { state: "resolved", resolvedAtMs: at0 + minute, due: null },
  },
  {
    name: "resolved stays resolved while it clears",
    from: resolved,
    reading: reading("clears", hour),
    pacing: once,
    to: { state: "resolved", due: null },
  },
  {
    name: "resolved stays resolved without data",
    from: resolved,
    reading: reading("unknown", hour),
    pacing: once,
    to: { state: "resolved" },
  },
  {
    name: "what fires as often as it holds fires again after it resolved",
    from: resolved,
    reading: reading("holds", hour),
    pacing: atOnce,
    to: { state: "firing", atMs: at0 + hour, due: "alert.firing", notifiedAtMs: null },
  },
  {
    name: "what notifies once in its period is firing again, without a message",
    from: resolved,
    reading: reading("holds", hour),
    pacing: once,
    to: { state: "firing", firedAtMs: at0, resolvedAtMs: null, due: null, isQuiet: true },
  },
  {
    name: "no message says that it resolved where it holds again before anybody was notified",
    from: { ...resolved, due: "alert.resolved" },
    reading: reading("holds", hour),
    pacing: once,
    to: { state: "firing", due: null, isQuiet: false },
  },
  {
    name: "what resolved before it was sent is sent when it holds again",
    from: { ...resolved, notifiedAtMs: null },
    reading: reading("holds", hour),
    pacing: once,
    to: { state: "firing", due: "alert.firing" },
  },
  {
    name: "quiet resolves without a word",
    from: lifecycle({ isQuiet: true }),
    reading: reading("clears", hour),
    pacing: once,
    to: { state: "resolved", due: null },
  },
  {
    name: "quiet is not repeated",
    from: lifecycle({ isQuiet: true }),
    reading: reading("holds", 9 * hour),
    pacing: { ...once, repeatMs: hour },
    to: { state: "firing", due: null },
  },
];

describe("an alert's next state", () => {
  test.each(transitions)("$name", ({ from, reading: given, pacing, to }) => {
    const next = nextState(from, given, pacing);
    if (to === undefined) expect(next).toBeUndefined();
    else expect(next).toMatchObject(to);
  });

  test("a message that is due when a period ends is still sent, and nothing else about it", () => {
    expect(endPeriod(unreported, at0 + hour)).toEqual(unreported);
    expect(endPeriod(lifecycle({}), at0 + hour)).toMatchObject({ state: "resolved", due: null });
    expect(endPeriod(lifecycle({ due: "alert.reminder" }), at0 + hour)).toMatchObject({ state: "resolved", due: null });
    expect(endPeriod({ ...resolved, due: "alert.resolved" }, at0 + hour)).toMatchObject({ due: "alert.resolved" });
  });

  test("a sent message leaves nothing due", () => {
    expect(notified(unreported, at0 + 7)).toMatchObject({ due: null, notifiedAtMs: at0 + 7 });
    expect(notified({ ...resolved, due: "alert.resolved" }, at0 + hour)).toMatchObject({
      due: null,
      notifiedAtMs: at0,
    });
  });
});

test("the table has every state with everything that may be found", () => {
  const findings = ["holds", "between", "clears", "unknown"] as const;
  const states = ["ok", "pending", "firing", "no_data", "resolved"];
  const named = new Set(transitions.map(({ from, reading: { finding } }) => `${from?.state ?? "ok"} ${finding}`));
  const all = states.flatMap((state) => findings.map((finding) => `${state} ${finding}`));
  expect(all.filter((one) => !named.has(one))).toEqual([]);
});

test("after a message that something fired which is over, another says that it is over", () => {
  const gone: Lifecycle = { ...unreported, state: "resolved", resolvedAtMs: at0 + minute };
  const after = notified(gone, at0 + hour);
  expect(after).toMatchObject({ due: "alert.resolved", dueSinceMs: at0 + minute, notifiedAtMs: at0 + hour });
  expect(notified(after, at0 + hour + 1)).toMatchObject({ state: "resolved", due: null, notifiedAtMs: at0 + hour });
});

describe("thresholds that one step crosses", () => {
  const one = (threshold: number, edit: Partial<Lifecycle>) => ({ threshold, lifecycle: lifecycle(edit) });
  const due = { due: "alert.firing", notifiedAtMs: null } as const;

  test("the highest is notified, the lower ones are covered by it", () => {
    const [low, high] = [one(50, due), one(75, due)];
    expect(crossedTogether([low, high])).toEqual({ notified: [high], passed: [{ lower: low, higher: high }] });
  });
  test("one below what was sent already is passed", () => {
    const [low, high] = [one(50, due), one(75, {})];
    expect(crossedTogether([low, high])).toEqual({ notified: [], passed: [{ lower: low, higher: high }] });
  });
  test("one above the notified threshold is notified", () => {
    const [low, high] = [one(50, {}), one(75, due)];
    expect(crossedTogether([low, high])).toEqual({ notified: [high], passed: [] });
  });
  test("one below a threshold that resolved meanwhile is notified", () => {
    const [low, high] = [one(50, due), one(75, { state: "resolved", resolvedAtMs: at0 })];
    expect(crossedTogether([low, high])).toEqual({ notified: [low], passed: [] });
  });
  test("each that resolves says so", () => {
    const gone = { state: "resolved", due: "alert.resolved" } as const;
    const [low, high] = [one(50, gone), one(75, gone)];
    expect(crossedTogether([low, high]).notified).toEqual([low, high]);
  });
});
