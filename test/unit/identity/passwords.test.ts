import { expect, test } from "vitest";
import { Passwords } from "../../../server/identity/passwords.ts";

test("a known user does not wait behind strangers, and the last of too many strangers are refused", async () => {
  const passwords = new Passwords();
  const hash = await passwords.hash("right");
  const done: string[] = [];
  const ask = (who: "known" | "stranger", password: string) =>
    passwords.matches(hash, password, who).then((isRight) => {
      done.push(who);
      return isRight;
    });
  const asked = await Promise.allSettled([
    ...Array.from({ length: 40 }, () => ask("stranger", "wrong")),
    ask("known", "right"),
    ask("known", "wrong"),
  ]);
  // The first stranger may have been hashed for already.
  expect(done.lastIndexOf("known")).toBeLessThanOrEqual(2);
  const outcomes = asked.map((one) => (one.status === "fulfilled" ? one.value : (one.reason as { code: string }).code));
  expect(outcomes.slice(-2)).toEqual([true, false]);
  const refused = outcomes.filter((one) => one === "overloaded").length;
  expect(refused).toBeGreaterThanOrEqual(9);
  expect(done.length).toBe(42 - refused);
});
