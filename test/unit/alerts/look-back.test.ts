/** Whatever outages there are: against an oracle that never slept, each time that a figure was beyond its bound is sent once, with its instant. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { crossings } from "../../../server/alerts/crossings.ts";
import { type Lifecycle, nextState, notified, type Pacing, type Reading } from "../../../server/alerts/next-state.ts";

const minuteMs = 60_000;

interface Message {
  type: string;
  /** When the figure went beyond its bound. */
  beganMs: number;
}

/** Evaluates readings one by one and notifies at once, as the service does while it runs. */
class Notifier {
  readonly messages: Message[] = [];
  lifecycle: Lifecycle | undefined;

  readonly #pacing: Pacing;

  constructor(pacing: Pacing) {
    this.#pacing = pacing;
  }

  evaluate(reading: Reading): void {
    if (this.lifecycle?.state === "resolved" && this.lifecycle.due === null) this.lifecycle = undefined;
    this.lifecycle = nextState(this.lifecycle, reading, this.#pacing);
    this.#notify();
  }

  #notify(): void {
    while (this.lifecycle?.due) {
      this.messages.push({ type: this.lifecycle.due, beganMs: this.lifecycle.atMs });
      this.lifecycle = notified(this.lifecycle, 0);
    }
  }
}

const finding = fc.constantFrom<Reading["finding"]>("holds", "holds", "clears", "clears", "between", "unknown");
/** Each minute a reading, and whether the service was there to evaluate it. */
const minutes = fc.array(fc.record({ finding, isOut: fc.boolean(), length: fc.integer({ min: 1, max: 12 }) }), {
  maxLength: 25,
});

test("what came and went while nothing was evaluated is sent once, as if somebody had watched all the while", () => {
  fc.assert(
    fc.property(minutes, fc.integer({ min: 0, max: 5 }), (spans, forMinutes) => {
      const pacing: Pacing = {
        forMs: forMinutes * minuteMs,
        repeatMs: null,
        isOncePerPeriod: false,
        isSilenced: false,
      };
      const readings = spans.flatMap(({ finding: found, isOut, length }) =>
        Array.from({ length }, () => ({ finding: found, isOut })),
      );
      const timed = readings.map((one, index) => ({ ...one, atMs: index * minuteMs }));
      const oracle = new Notifier(pacing);
      for (const reading of timed) oracle.evaluate(reading);
      const notifier = new Notifier(pacing);
      let missed: Reading[] = [];
      const catchUp = (until: number) => {
        const instants = new Set(crossings(missed, notifier.lifecycle, () => pacing));
        for (const reading of missed)
          if (instants.has(reading.atMs) && reading.atMs < until) notifier.evaluate(reading);
        missed = [];
      };
      for (const { isOut, ...reading } of timed) {
        if (isOut) missed.push(reading);
        else {
          catchUp(reading.atMs);
          notifier.evaluate(reading);
        }
      }
      catchUp(Number.POSITIVE_INFINITY);
      expect(notifier.messages).toEqual(oracle.messages);
    }),
    { numRuns: 2_000 },
  );
});

test("of very many changes the newest are sent, and nothing of what did not hold for long enough", () => {
  const pacing: Pacing = { forMs: 2 * minuteMs, repeatMs: null, isOncePerPeriod: false, isSilenced: false };
  const readings = (text: string): Reading[] =>
    [...text].map((one, index) => ({ finding: one === "h" ? "holds" : "clears", atMs: index }));
  const at = (text: string, forMs: number, lifecycle?: Lifecycle, most?: number) =>
    crossings(readings(text), lifecycle, () => ({ ...pacing, forMs }), most);
  expect(at("hc".repeat(10_000), 0, undefined, 4)).toEqual([19_996, 19_997, 19_998, 19_999]);
  expect(at("hc".repeat(10_000), 2)).toEqual([]);
  expect(at("hchhhc", 2)).toEqual([2, 4, 5]);
  const firing = nextState(undefined, { finding: "holds", atMs: -1 }, { ...pacing, forMs: 0 });
  expect(at("chchch", 0, firing, 2)).toEqual([0, 4, 5]);
});
