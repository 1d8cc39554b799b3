import { expect, test } from "vitest";
import { FairTurns, type TurnLimits } from "../../../server/fairness/fair-turns.ts";

const limits: TurnLimits = {
  most: 2,
  maxWithFirst: 3,
  maxOfTenant: 2,
  maxOfCaller: 2,
  maxWaitingOfCaller: 2,
  maxWaitingOfTenant: 3,
  patienceMs: 60_000,
};
const loud = { tenant: "loud", id: "a" };
const quiet = { tenant: "quiet", id: "b" };

test("a tenant without a turn gets one at once, whoever else waits", async () => {
  const turns = new FairTurns(limits);
  await Promise.all([turns.take(loud), turns.take(loud)]);
  void turns.take(loud);
  const over = await turns.take(quiet);
  expect([turns.running, turns.waiting]).toEqual([3, 1]);
  over();
});

test("the caller with fewer turns goes first, however many others wait before", async () => {
  const turns = new FairTurns({ ...limits, maxWithFirst: 2 });
  const [first, second] = await Promise.all([turns.take(loud), turns.take(loud)]);
  const order: string[] = [];
  const waiting = [loud, loud, quiet].map(async (caller) => {
    const over = await turns.take(caller);
    order.push(caller.tenant);
    return over;
  });
  first?.();
  const over = await waiting[2];
  expect(order).toEqual(["quiet"]);
  over?.();
  second?.();
  await Promise.all(waiting);
  expect(order).toEqual(["quiet", "loud", "loud"]);
});

test("more of one caller than may wait are refused, and who leaves makes room", async () => {
  const turns = new FairTurns(limits);
  await Promise.all([turns.take(loud), turns.take(loud)]);
  const leaving = new AbortController();
  const left = turns.take(loud, leaving.signal);
  void turns.take(loud);
  await expect(turns.take(loud)).rejects.toMatchObject({ name: "NoTurnError", reason: "crowded" });
  leaving.abort(new Error("gone"));
  await expect(left).rejects.toThrow("gone");
  expect(turns.waiting).toBe(1);
});

test("a caller that waits too long is refused, and a turn ends once however often it is ended", async () => {
  const turns = new FairTurns({ ...limits, patienceMs: 1 });
  const [over] = await Promise.all([turns.take(loud), turns.take(loud)]);
  await expect(turns.take(loud)).rejects.toMatchObject({ reason: "late" });
  over?.();
  over?.();
  expect(turns.running).toBe(1);
});
