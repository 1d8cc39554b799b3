/** Turns of tenants at something slow, and the time that does not count while one waits for them. */
import { expect, test, vi } from "vitest";
import { SerialTurns } from "../../../server/fairness/serial-turns.ts";
import { TimeLimit } from "../../../server/fairness/time-limit.ts";

test("however many turns one tenant waits for, another's comes after the one that is under way", async () => {
  const turns = new SerialTurns();
  const order: string[] = [];
  let running = 0;
  const take = async (tenant: string, name: string) => {
    const over = await turns.take(tenant);
    expect(++running).toBe(1);
    order.push(name);
    await Promise.resolve();
    running--;
    over();
  };
  await Promise.all([
    ...["a1", "a2", "a3", "a4"].map((name) => take("a", name)),
    ...["b1", "b2"].map((name) => take("b", name)),
    take("c", "c1"),
  ]);
  expect(order).toEqual(["a1", "b1", "c1", "a2", "b2", "a3", "a4"]);
});

test("who goes away while it waits holds up nobody", async () => {
  const turns = new SerialTurns();
  const over = await turns.take("a");
  const ending = new AbortController();
  const gone = turns.take("b", ending.signal);
  const next = turns.take("c");
  ending.abort(new Error("gone"));
  await expect(gone).rejects.toThrow("gone");
  over();
  (await next)();
  (await turns.take("a"))();
});

test("a limit of time does not count what is waited for, however often", () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  try {
    const over = vi.fn();
    const limit = new TimeLimit(1_000, over);
    for (let times = 0; times < 3; times++) {
      vi.advanceTimersByTime(300);
      const goOn = limit.pause();
      vi.advanceTimersByTime(5_000);
      goOn();
    }
    expect(over).not.toHaveBeenCalled();
    vi.advanceTimersByTime(99);
    expect(over).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(over).toHaveBeenCalledTimes(1);
    const ended = new TimeLimit(1_000, over);
    ended.end();
    vi.advanceTimersByTime(2_000);
    expect(over).toHaveBeenCalledTimes(1);
  } finally {
    vi.useRealTimers();
  }
});
