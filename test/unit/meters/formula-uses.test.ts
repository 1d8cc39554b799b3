/** Which meters name which, read once for each version. */
import { expect, test } from "vitest";
import { FormulaUses } from "../../../server/meters/formula-uses.ts";
import type { MeterVersion, Versions } from "../../../server/meters/meter-versions.ts";

const version = (meter: string, number: number, formula?: string) =>
  ({ meter, node: "all", version: number, definition: { title: meter, formula } }) as MeterVersion;

test("a formula is read once, however often it is asked by", () => {
  const uses = new FormulaUses();
  const made = version("rate", 1, "a / b");
  uses.put("rate", [made]);
  const first = uses.of(made);
  expect(first?.names).toEqual(["a", "b"]);
  expect(uses.of(made)).toBe(first);
  expect(uses.of(version("plain", 1))).toBeUndefined();
});

test("a meter is known as a user of all that one of its versions names, and of nothing that none does any more", () => {
  const uses = new FormulaUses();
  const rate: Versions = [version("rate", 2, "a + c"), version("rate", 1, "a / b")];
  uses.put("rate", rate);
  uses.put("other", [version("other", 1, "a * 2")]);
  expect(uses.usersOf("a").map(([{ meter }]) => meter)).toEqual(["rate", "other"]);
  expect(uses.usersOf("b")).toEqual([rate]);
  uses.put("rate", [version("rate", 1, "c")]);
  expect(uses.usersOf("a").map(([{ meter }]) => meter)).toEqual(["other"]);
  expect(uses.usersOf("b")).toEqual([]);
});

test("a formula that cannot be read is told to who asks by it, and keeps no other meter from being known", () => {
  const uses = new FormulaUses();
  const broken = version("broken", 1, "a +");
  uses.put("broken", [broken]);
  expect(uses.usersOf("a")).toEqual([]);
  expect(() => uses.of(broken)).toThrow("ends where");
});
