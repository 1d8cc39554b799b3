/** What is drawn of a quota, and the days that people choose. */
import { expect, test } from "vitest";
import type { Quota } from "../../../server/contract/quotas.ts";
import { quotaBar } from "../../../web/src/charts/quota-bar.ts";
import { endOfDay, formatEnd, formatStart, lastDayBefore, startOfDay } from "../../../web/src/words/zone-days.ts";

const quota = (given: Partial<Quota>): Quota => ({
  feature: "minutes",
  meter: "participation_minutes",
  unit: "minutes",
  used: "0",
  limit: "100",
  percent: "0.00",
  status: "under",
  overage: "notify",
  thresholds: [{ percent: 50, reached: false }],
  projected: null,
  hit_at: null,
  at: null,
  ...given,
});
const projected = (value: string, high: string) => ({ value, low: "10", high, error_percent: null });

test("the bar ends with the limit, and grows for what goes beyond it, to twice the limit at most", () => {
  expect(quotaBar(quota({ used: "40" }))).toMatchObject({ used: 40, limit: 100, thresholds: [{ at: 50 }] });
  expect(quotaBar(quota({ used: "40", projected: projected("120", "160") }))).toMatchObject({
    used: 25,
    limit: 62.5,
    projected: { value: 75, high: 100 },
  });
  expect(quotaBar(quota({ used: "900" }))).toMatchObject({ used: 100, limit: 50 });
  expect(quotaBar(quota({ used: "0", limit: "0" }))).toMatchObject({ used: 0, limit: 100 });
  expect(quotaBar(quota({ used: "3", limit: "0" }))).toMatchObject({ used: 100, limit: 100 });
  expect(quotaBar(quota({ limit: null }))).toBeUndefined();
});

test("a last day ends where the next begins on the zone's clock, with 23 hours too", () => {
  expect(startOfDay("2026-03-29", "Europe/Berlin")).toBe("2026-03-28T23:00:00.000Z");
  expect(endOfDay("2026-03-29", "Europe/Berlin")).toBe("2026-03-29T22:00:00.000Z");
  expect(lastDayBefore("2026-03-30T00:00:00+02:00", "Europe/Berlin")).toBe("2026-03-29");
  expect(lastDayBefore("2026-03-30T00:00:00Z", "Europe/Berlin")).toBeUndefined();
  expect(formatEnd("2026-12-01T00:00:00Z", "UTC")).toBe("through 30 Nov 2026");
  expect(formatEnd("2026-12-01T12:00:00Z", "UTC")).toBe("until 1 Dec 2026, 12:00");
  expect(formatStart("2026-12-01T00:00:00+01:00", "Europe/Berlin")).toBe("1 Dec 2026");
});
