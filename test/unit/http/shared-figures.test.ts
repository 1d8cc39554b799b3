import { expect, test } from "vitest";
import { SharedFigures, sharedRates } from "../../../server/http/shared-figures.ts";
import { ProblemError } from "../../../server/problem.ts";

const refusal = (act: () => void) => {
  try {
    act();
  } catch (error) {
    if (error instanceof ProblemError && error.code === "too_fast") return error.retryAfterSeconds;
    throw error;
  }
  return undefined;
};

test("a link that is asked too much is refused alone, until its time has passed", () => {
  let nowMs = 0;
  const figures = new SharedFigures(() => nowMs);
  const [busy, quiet] = ["link a", "link b"].map((caller) => ({ caller, tenant: "reseller:r" }));
  const ask = (who = busy) => refusal(() => figures.countRequest(who as { caller: string; tenant: string }));
  for (let place = 0; place < sharedRates.ofShare.burst; place++) expect(ask()).toBeUndefined();
  expect(ask()).toBe(1);
  expect(ask(quiet)).toBeUndefined();
  nowMs += 1_000;
  for (let place = 0; place < sharedRates.ofShare.perSecond; place++) expect(ask()).toBeUndefined();
  expect(ask()).toBe(1);
});

test("all links of a tenant have a bound together, which holds up nobody else's", () => {
  const figures = new SharedFigures(() => 0);
  const ask = (place: number, tenant: string) =>
    refusal(() => figures.countRequest({ caller: `link ${place % 10}`, tenant }));
  for (let place = 0; place < sharedRates.ofTenant.burst; place++) expect(ask(place, "reseller:r")).toBeUndefined();
  expect(ask(9, "reseller:r")).toBe(1);
  expect(ask(11, "reseller:other")).toBeUndefined();
});

test("tokens that open nothing are counted by network, and those that open something are not", () => {
  const figures = new SharedFigures(() => 0);
  const from = (address: string) => refusal(() => figures.checkStranger(address));
  for (let place = 0; place < sharedRates.ofStrangers.burst; place++) {
    expect(from("2001:db8::1")).toBeUndefined();
    figures.countStranger(`2001:db8::${place}`);
  }
  expect(from("2001:db8::ffff")).toBe(2);
  expect(from("2001:db8:0:1::1")).toBeUndefined();
  expect(from("192.0.2.1")).toBeUndefined();
});

test("what many ask at once is read once, and what failed or is large is read again", async () => {
  const figures = new SharedFigures();
  let reads = 0;
  const read = (isKept: boolean) => async () => {
    reads++;
    await new Promise((resolve) => setImmediate(resolve));
    return { text: String(reads), isKept };
  };
  expect(await Promise.all([1, 2, 3].map(() => figures.ask("a", read(true))))).toEqual(["1", "1", "1"]);
  expect(await figures.ask("a", read(true))).toBe("1");
  expect(await figures.ask("b", read(false))).toBe("2");
  expect(await figures.ask("b", read(true))).toBe("3");
  const failing = () => Promise.reject(new Error("away"));
  await expect(figures.ask("c", failing)).rejects.toThrow("away");
  expect(await figures.ask("c", read(true))).toBe("4");
});
