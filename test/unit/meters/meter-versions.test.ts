/** Which of several meters by one name a node knew, wherever it and their owners stood since. */
import { expect, test } from "vitest";
import { type MeterVersion, type Versions, versionsOnRecord } from "../../../server/meters/meter-versions.ts";

const at = (day: number) => Date.UTC(2026, 0, day);
const made = (node: string, day: number, version = 1, rest: Partial<MeterVersion> = {}) =>
  ({
    node,
    version,
    meter: "x",
    createdAt: new Date(at(day)),
    effectiveFrom: null,
    retiredAt: null,
    ...rest,
  }) as MeterVersion;
/** Below p1 until the 20th, since then below p2. */
const tree = {
  pathsBetween: (_: string, fromMs: number, toMs: number) => [
    { fromMs, toMs: at(20), path: ["reseller:r", "partner:p1", "all"] },
    { fromMs: at(20), toMs, path: ["reseller:r", "partner:p2", "all"] },
  ],
};
const known = (owned: readonly Versions[], day: number) => {
  const found = versionsOnRecord(owned, tree as never, "reseller:r", at(day))?.[0];
  return found && `${found.node} ${found.version}`;
};

test("whoever owned the node before the move measures its plans on, by what they had made by then and nothing later", () => {
  const former: Versions = [made("partner:p1", 25, 3), made("partner:p1", 12, 2), made("partner:p1", 1)];
  expect([known([former], 10), known([former], 31)]).toEqual(["partner:p1 2", "partner:p1 2"]);
});

test("a version that the owner above makes later holds for what was before, where it says so", () => {
  const own: Versions = [made("reseller:r", 28, 2), made("reseller:r", 1)];
  expect(known([own], 10)).toBe("reseller:r 2");
});

test("a nearer meter that is made later, or holds later, takes no part over that another measured", () => {
  const former: Versions = [made("partner:p1", 1)];
  expect([known([[made("reseller:r", 25)], former], 15), known([[made("reseller:r", 25)], former], 31)]).toEqual([
    "partner:p1 1",
    "reseller:r 1",
  ]);
  const later = made("reseller:r", 25, 1, { effectiveFrom: new Date(Date.UTC(2027, 0, 1)) });
  expect(known([[later], former], 31)).toBe("partner:p1 1");
});

test("a meter retired after the end still measures, and one retired before gives way to one in use", () => {
  const retired: Versions = [made("reseller:r", 1, 1, { retiredAt: new Date(at(12)) })];
  const above: Versions = [made("partner:p1", 2)];
  expect([known([retired, above], 10), known([retired, above], 15), known([retired], 15)]).toEqual([
    "reseller:r 1",
    "partner:p1 1",
    "reseller:r 1",
  ]);
});
