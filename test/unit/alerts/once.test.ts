/** Whatever happens to usage, plans and the service itself: against an oracle nobody is notified twice in a period, and nothing is forgotten. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { evaluateQuota } from "../../../server/alerts/evaluate-quota.ts";
import { crossedTogether, endPeriod, type Lifecycle, nextState, notified } from "../../../server/alerts/next-state.ts";
import type { NotificationType } from "../../../server/contract/notifications.ts";

const thresholds = [50, 75, 90, 100];
const minuteMs = 60_000;

type Step =
  | { do: "use"; amount: number }
  | { do: "correct"; amount: number }
  | { do: "plan"; limit: number | null }
  | { do: "cycle" }
  | { do: "outage"; of: readonly Step[] }
  | { do: "mute"; of: readonly Step[] };

const simple: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("use" as const), amount: fc.integer({ min: 0, max: 40 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("correct" as const), amount: fc.integer({ min: 0, max: 60 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("plan" as const),
      limit: fc.option(fc.integer({ min: 40, max: 200 }), { nil: null }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("cycle" as const) }) },
);
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: simple },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("outage" as const), of: fc.array(simple, { maxLength: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("mute" as const), of: fc.array(simple, { maxLength: 5 }) }) },
);

interface Message {
  cycle: number;
  threshold: number;
  type: NotificationType;
}

/** What the service does with the pure parts, without its stores. */
class Notifier {
  readonly messages: Message[] = [];
  readonly #lifecycles = new Map<
    string,
    { cycle: number; threshold: number; lifecycle: Lifecycle; passedWith: number | null }
  >();
  #nowMs = 0;

  evaluate(cycle: number, used: number, limit: number | null, isMuted: boolean): void {
    this.#nowMs += minuteMs;
    const feature = {
      feature: "posts",
      meter: "chat_posts",
      title: "Chat posts",
      unit: "count",
      thresholds,
      figure: String(used),
    };
    const limited = [{ ...feature, limit: limit === null ? null : String(limit) }];
    const condition = { kind: "quota", feature: null, thresholds: null, on: "used" } as const;
    for (const one of evaluateQuota(condition, "organization:acme", limited, { startMs: cycle, endMs: cycle + 1 })) {
      const threshold = Number(one.threshold);
      const before = this.#lifecycles.get(`${cycle} ${threshold}`);
      const pacing = { forMs: 0, repeatMs: null, isOncePerPeriod: true, isSilenced: isMuted };
      const lifecycle = nextState(before?.lifecycle, { finding: one.finding, atMs: this.#nowMs }, pacing);
      if (!lifecycle) continue;
      const passedWith = lifecycle.due === "alert.firing" ? null : (before?.passedWith ?? null);
      this.#lifecycles.set(`${cycle} ${threshold}`, { cycle, threshold, lifecycle, passedWith });
    }
    // What was passed with a threshold that resolved stands for itself while it holds.
    for (const one of this.#lifecycles.values()) {
      const higher = one.passedWith === null ? undefined : this.#lifecycles.get(`${one.cycle} ${one.passedWith}`);
      if (one.lifecycle.state === "firing" && higher?.lifecycle.state === "resolved") one.passedWith = null;
    }
    for (const one of this.#lifecycles.values())
      if (one.cycle < cycle) one.lifecycle = endPeriod(one.lifecycle, this.#nowMs);
    if (!isMuted) this.#notify();
  }

  #notify(): void {
    for (const cycle of new Set([...this.#lifecycles.values()].map((one) => one.cycle))) {
      const lifecycles = [...this.#lifecycles.values()].filter((one) => one.cycle === cycle);
      const step = crossedTogether(lifecycles.sort((a, b) => a.threshold - b.threshold));
      for (const one of step.notified) {
        const { due } = one.lifecycle;
        if (due && one.passedWith === null) this.messages.push({ cycle, threshold: one.threshold, type: due });
        one.lifecycle = notified(one.lifecycle, this.#nowMs);
      }
      for (const { lower, higher } of step.passed) {
        lower.lifecycle = notified(lower.lifecycle, this.#nowMs);
        lower.passedWith = higher.threshold;
      }
    }
  }

  firing(cycle: number): number[] {
    const found = [...this.#lifecycles.values()].filter(
      (one) => one.cycle === cycle && one.lifecycle.state === "firing",
    );
    return found.map(({ threshold }) => threshold).sort((a, b) => a - b);
  }
}

/** What people are owed: by cycle, the thresholds that held when something could be sent and that no higher message stood for. */
function play(steps: readonly Step[]) {
  const notifier = new Notifier();
  let [cycle, used, limit]: [number, number, number | null] = [1, 0, 100];
  const highest = new Map<number, number>();
  const apply = (step: Step, isEvaluated: boolean, isMuted: boolean): void => {
    if (step.do === "use") used += step.amount;
    if (step.do === "correct") used = Math.max(0, used - step.amount);
    if (step.do === "plan") limit = step.limit;
    if (step.do === "cycle") {
      // The end of a span is evaluated too, however late.
      if (isEvaluated) evaluate(isMuted);
      [cycle, used] = [cycle + 1, 0];
    }
    if (step.do === "outage" || step.do === "mute") {
      const isOut = step.do === "outage";
      for (const one of step.of) {
        if (isOut && one.do === "cycle") evaluate(false);
        apply(one, !isOut && isEvaluated, !isOut || isMuted);
      }
    }
    if (isEvaluated) evaluate(isMuted);
  };
  const evaluate = (isMuted: boolean): void => {
    notifier.evaluate(cycle, used, limit, isMuted);
    if (isMuted) return;
    const top = thresholds.findLast((percent) => limit !== null && used > 0 && used * 100 >= limit * percent);
    if (top !== undefined) highest.set(cycle, Math.max(top, highest.get(cycle) ?? 0));
  };
  for (const step of steps) apply(step, true, false);
  evaluate(false);
  return { notifier, highest, holding: holdingOf(used, limit), cycle };
}

const holdingOf = (used: number, limit: number | null) =>
  thresholds.filter((percent) => limit !== null && used > 0 && used * 100 >= limit * percent);

test("never notified twice in a period, never forgotten, and what is shown is what holds", () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 40 }), (steps) => {
      const { notifier, highest, holding, cycle } = play(steps);
      const keys = notifier.messages.map((one) => `${one.cycle} ${one.threshold} ${one.type}`);
      expect(new Set(keys).size).toBe(keys.length);
      for (const [one, top] of highest) {
        const fired = notifier.messages.filter((message) => message.cycle === one && message.type === "alert.firing");
        expect(Math.max(...fired.map(({ threshold }) => threshold))).toBeGreaterThanOrEqual(top);
      }
      const resolved = notifier.messages.filter(({ type }) => type === "alert.resolved");
      for (const { cycle: of, threshold } of resolved)
        expect(
          keys.some((key) => thresholds.some((other) => other >= threshold && key === `${of} ${other} alert.firing`)),
        ).toBe(true);
      expect(notifier.firing(cycle)).toEqual(holding);
    }),
    { numRuns: 2_000 },
  );
});
