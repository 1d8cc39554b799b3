import { expect, test } from "vitest";
import { maxWaiting, Passwords, type Turn } from "../../../server/identity/passwords.ts";

/** Asks in order, and notes whose turns came in which order; what was refused is its code. */
async function askAll(turns: readonly { who: string; turn: Turn; password?: string }[]) {
  const passwords = new Passwords();
  const hash = await passwords.hash("right", "maker");
  const served: string[] = [];
  const asked = await Promise.allSettled(
    turns.map(async ({ who, turn, password = "wrong" }) => {
      const isRight = await passwords.matches(hash, password, turn);
      served.push(who);
      return isRight;
    }),
  );
  const outcomes = asked.map((one) => (one.status === "fulfilled" ? one.value : (one.reason as { code: string }).code));
  return { served, outcomes };
}
const many = (count: number, who: string, turn: (index: number) => Turn) =>
  Array.from({ length: count }, (_, index) => ({ who, turn: turn(index) }));
const known = (who: string, password: string) => ({ who, turn: { known: who }, password });

test("a known user does not wait behind strangers, and the last of too many strangers are refused", async () => {
  const { served, outcomes } = await askAll([
    ...many(40, "stranger", () => "stranger"),
    known("known", "right"),
    known("known", "wrong"),
  ]);
  // The first stranger may have been hashed for already.
  expect(served.lastIndexOf("known")).toBeLessThanOrEqual(2);
  expect(outcomes.slice(-2)).toEqual([true, false]);
  const refused = outcomes.filter((one) => one === "overloaded").length;
  expect(refused).toBeGreaterThanOrEqual(9);
  expect(served.length).toBe(42 - refused);
});

test("one account has two waiting at most, and a stranger has a turn after every three who are known, however many these are", async () => {
  const ofOne = await askAll(many(12, "one", () => ({ known: "one" })));
  expect(ofOne.outcomes.filter((one) => one === "overloaded").length).toBeGreaterThanOrEqual(9);
  const { served, outcomes } = await askAll([
    ...many(20, "known", (index) => ({ known: `account ${index}` })),
    ...many(3, "stranger", () => "stranger"),
  ]);
  expect(outcomes).not.toContain("overloaded");
  const places = served.flatMap((who, place) => (who === "stranger" ? [place] : []));
  expect(places.map((place, index) => place <= 4 * (index + 1))).toEqual([true, true, true]);
});

test("of all accounts together as many wait as are hashed in seconds, and the others are told to try again", async () => {
  const { outcomes } = await askAll(many(maxWaiting.known + 20, "known", (index) => ({ known: `account ${index}` })));
  const refused = outcomes.filter((one) => one === "overloaded").length;
  expect(refused).toBeGreaterThanOrEqual(19);
  expect(refused).toBeLessThanOrEqual(20);
});
