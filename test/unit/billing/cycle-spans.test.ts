import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cycleIn, cycleSpansOf } from "../../../server/billing/cycle-spans.ts";
import type { NodeAddress } from "../../../server/contract/nodes.ts";

const dayMs = 86_400_000;
const path: NodeAddress[] = ["organization:o", "reseller:r", "all"];
const beginMs = Date.UTC(2026, 0, 1);
const days = 120;

const subscribed = fc
  .record({
    ...{
      node: fc.constantFrom(...path),
      anchor: fc.integer({ min: 1, max: 31 }),
      fromDay: fc.integer({ min: 0, max: days }),
    },
    ...{ length: fc.integer({ min: 0, max: 60 }), tz: fc.constantFrom("UTC", "Europe/Berlin") },
  })
  .map(({ node, anchor, fromDay, length, tz }) => {
    const startsAt = new Date(beginMs + fromDay * dayMs);
    const expiresAt = length === 60 ? null : new Date(startsAt.getTime() + length * dayMs);
    return { node, anchor, tz, startsAt, expiresAt, renews: false, cancelledAt: null };
  });

/** A node has one at a time. */
const subscriptions = fc
  .array(subscribed, { maxLength: 6 })
  .map((all) =>
    all
      .filter((one, index) =>
        all
          .slice(0, index)
          .every(
            (other) =>
              other.node !== one.node ||
              endOf(other) <= one.startsAt.getTime() ||
              endOf(one) <= other.startsAt.getTime(),
          ),
      )
      .map((one, index) => ({ id: `sub_${index}`, ...one })),
  );
const endOf = ({ expiresAt }: { expiresAt: Date | null }) => expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;

describe("the cycles of a node", () => {
  it("follow each other without a gap, each as the nearest subscription says that runs, and within it", () => {
    fc.assert(
      fc.property(subscriptions, (all) => {
        const spans = cycleSpansOf(path, all);
        for (let ms = beginMs; ms < beginMs + days * dayMs; ) {
          const cycle = cycleIn(spans, ms);
          if (ms > beginMs) expect(cycle.fromMs).toBe(ms);
          expect(cycle.toMs).toBeGreaterThan(ms);
          const running = (at: number) =>
            all
              .filter((one) => one.startsAt.getTime() <= at && at < endOf(one))
              .sort((a, b) => path.indexOf(a.node) - path.indexOf(b.node))[0];
          const governing = running(ms);
          expect(cycle.tz).toBe(governing?.tz ?? "UTC");
          expect(running(cycle.fromMs)?.id).toBe(governing?.id);
          expect(running(cycle.toMs - 1)?.id).toBe(governing?.id);
          ms = cycle.toMs;
        }
      }),
      { seed: 20_261_129, numRuns: 200 },
    );
  });

  it("are the last of a subscription that ends too, and then those of the calendar's months", () => {
    const [startsAt, expiresAt] = [new Date("2026-03-15T00:00:00Z"), new Date("2026-05-15T00:00:00Z")];
    const one = {
      ...{ id: "sub_1", node: path[0] as NodeAddress, anchor: 15, tz: "UTC", startsAt, expiresAt },
      renews: false,
    };
    const spans = cycleSpansOf(path, [{ ...one, cancelledAt: null }]);
    const dates: string[] = [];
    for (let ms = Date.UTC(2026, 2, 1); dates.length < 5; ) {
      const { fromMs, toMs } = cycleIn(spans, ms);
      dates.push(`${new Date(fromMs).toISOString().slice(0, 10)} ${new Date(toMs).toISOString().slice(0, 10)}`);
      ms = toMs;
    }
    expect(dates).toEqual([
      ...["2026-03-01 2026-03-15", "2026-03-15 2026-04-15", "2026-04-15 2026-05-15"],
      ...["2026-05-15 2026-06-01", "2026-06-01 2026-07-01"],
    ]);
  });
});
