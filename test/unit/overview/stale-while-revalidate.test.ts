import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { StaleWhileRevalidateCache } from "../../../server/overview/stale-while-revalidate.ts";

function cacheWith(waitMs = 10_000) {
  let nowMs = 0;
  const readings: { state: string; answer: (value: string) => void; fail: () => void }[] = [];
  const cached = new StaleWhileRevalidateCache<string>({
    freshMs: 5_000,
    maxAgeMs: 60_000,
    waitMs: () => waitMs,
    maxAnswers: 20,
    now: () => nowMs,
  });
  return {
    readings,
    pass: (ms: number) => {
      nowMs += ms;
    },
    ask: (state: string, mustRevalidate = false, key = "key") =>
      cached.ask({ tenant: "reseller:r1", key }, state, mustRevalidate, () => {
        let [resolve, reject] = [(_: string) => {}, (_: Error) => {}];
        const promise = new Promise<string>((done, failed) => {
          [resolve, reject] = [done, failed];
        });
        readings.push({ state, answer: resolve, fail: () => reject(new Error("the store is down")) });
        return promise;
      }),
  };
}

/** Lets what is ready run. */
const turn = () => delay(1);

test("while nothing was stored, what was read is the answer, and many who ask at once read once", async () => {
  const { ask, readings, pass } = cacheWith();
  const asked = Promise.all([ask("1"), ask("1"), ask("1")]);
  await turn();
  readings[0]?.answer("a");
  expect(await asked).toEqual(["a", "a", "a"]);
  pass(5_000);
  expect(await ask("1")).toBe("a");
  expect(readings.length).toBe(1);
});

test("after more was stored, who asks waits for a quick reading", async () => {
  const { ask, readings } = cacheWith();
  const first = ask("1");
  await turn();
  readings[0]?.answer("a");
  await first;
  const second = ask("2");
  await turn();
  readings[1]?.answer("b");
  expect(await second).toBe("b");
});

test("events stored before the question are in the answer, even where an older state is just being read", async () => {
  const { ask, readings } = cacheWith();
  const first = ask("1");
  await turn();
  const second = ask("2");
  readings[0]?.answer("a");
  expect(await first).toBe("a");
  await turn();
  readings[1]?.answer("b");
  expect(await second).toBe("b");
});

test("a reading that is not quick goes on behind the cached answer, until that is too old; a caller that asks for revalidation waits", async () => {
  const { ask, readings, pass } = cacheWith(0);
  const first = ask("1");
  await delay(5);
  readings[0]?.answer("a");
  await first;
  pass(10_000);
  expect(await ask("2")).toBe("a");
  const revalidated = ask("2", true);
  await turn();
  readings[1]?.answer("b");
  expect(await revalidated).toBe("b");
  pass(60_001);
  const late = ask("3");
  await turn();
  readings[2]?.answer("c");
  expect(await late).toBe("c");
});

test("while the store fails, the cached answer is given until it is too old", async () => {
  const { ask, readings, pass } = cacheWith();
  const first = ask("1");
  await turn();
  readings[0]?.answer("a");
  await first;
  pass(10_000);
  const second = ask("2");
  await turn();
  readings[1]?.fail();
  expect(await second).toBe("a");
  pass(60_000);
  const third = ask("3");
  await turn();
  readings[2]?.fail();
  await expect(third).rejects.toThrow("down");
});

test("however many states are asked for while one is read, one more reading answers them all, of the newest", async () => {
  const { ask, readings } = cacheWith();
  const first = ask("1");
  await turn();
  const later = ["2", "3", "4"].map((state) => ask(state, true));
  readings[0]?.answer("a");
  await first;
  await turn();
  readings[1]?.answer("b");
  expect(await Promise.all(later)).toEqual(["b", "b", "b"]);
  expect(await ask("4")).toBe("b");
  expect(readings).toHaveLength(2);
});

test("of readings for which nobody waits a tenant has a few at once; beyond them the cached answer is given", async () => {
  const { ask, readings, pass } = cacheWith(0);
  const keys = Array.from({ length: 12 }, (_, number) => `key ${number}`);
  const first = keys.map((key) => ask("1", false, key));
  await delay(5);
  for (const reading of readings) reading.answer("a");
  await Promise.all(first);
  pass(30_000);
  expect(await Promise.all(keys.map((key) => ask("2", false, key)))).toEqual(keys.map(() => "a"));
  expect(readings).toHaveLength(keys.length + 8);
  readings[keys.length]?.answer("b");
  await turn();
  await ask("2", false, "key 11");
  expect(readings).toHaveLength(keys.length + 9);
});
