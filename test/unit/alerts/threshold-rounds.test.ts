/** In which order nodes are evaluated, whatever fails or takes too long. */
import { expect, test } from "vitest";
import type { RuleRecord } from "../../../server/alerts/rules.ts";
import { type Rounds, ThresholdRounds, type Watched, watchesOf } from "../../../server/alerts/threshold-rounds.ts";

const watch = { asked: { meter: "chat_posts", window: "5m" as const, filter: undefined }, rules: [] };
const nodes = ["organization:one", "organization:two", "organization:three"];
const long = 60_000;

/** `evaluate`: what is given back of a step. */
function roundsOf(evaluate: (step: string) => readonly Watched[]) {
  const steps: string[] = [];
  const rounds: Rounds = {
    watches: [watch],
    watchedBy: (_watch, only) => nodes.filter((node) => !only || only.has(node)).map((node) => [node, []]),
    evaluate: async (_watch, watched, lookBack) => {
      const step = `${lookBack?.sinceMs ?? "now"} ${watched.map(([node]) => node.split(":")[1]).join(" ")}`;
      steps.push(step);
      return evaluate(step);
    },
  };
  return { steps, rounds };
}

test("what could not be looked back at is looked back at again before anything is evaluated by what holds now", async () => {
  const thresholds = new ThresholdRounds();
  let fails = 1;
  const { steps, rounds } = roundsOf(() => {
    if (fails-- > 0) throw new Error("a store does not answer");
    return [];
  });
  thresholds.sweep(10, 5);
  thresholds.touch(["organization:two"], 10);
  expect(await thresholds.work(long, rounds)).toMatchObject({ sweptMs: undefined, failure: { nodes } });
  expect(await thresholds.work(long, rounds)).toEqual({ sweptMs: 10, failure: undefined });
  expect(steps).toEqual(["5 one two three", "5 one two three", "now two"]);
});

test("a sweep that looks back takes the place of one that does not", async () => {
  const thresholds = new ThresholdRounds();
  const { steps, rounds } = roundsOf(() => []);
  expect([thresholds.sweep(10, undefined), thresholds.sweep(11, undefined)]).toEqual([true, false]);
  expect([thresholds.sweep(12, 5), thresholds.sweep(13, 6)]).toEqual([true, false]);
  expect((await thresholds.work(long, rounds)).sweptMs).toBe(12);
  expect(steps).toEqual(["5 one two three"]);
});

test("nodes that there was no time for are evaluated in the next run, and the sweep ends after them", async () => {
  const thresholds = new ThresholdRounds();
  const { steps, rounds } = roundsOf((step) => (step.includes("one") ? [["organization:three", []]] : []));
  thresholds.sweep(10, 5);
  expect((await thresholds.work(0, rounds)).sweptMs).toBeUndefined();
  expect(thresholds.isBusy).toBe(true);
  expect((await thresholds.work(0, rounds)).sweptMs).toBe(10);
  expect(steps).toEqual(["5 one two three", "5 three"]);
});

test("rules that ask for the same figure are watched together, and a rule's filter is gone through once, however often that is asked", () => {
  let gone = 0;
  const rule = (id: string, user: string) =>
    ({
      id,
      condition: {
        kind: "threshold",
        meter: "chat_posts",
        window: "5m",
        above: "2",
        for_minutes: 0,
        filter: {
          user,
          toJSON: () => {
            gone++;
            return { user };
          },
        },
      },
    }) as unknown as RuleRecord;
  const rules = [rule("one", "ann"), rule("two", "bob"), rule("three", "ann")];
  for (const _ of [1, 2, 3])
    expect(watchesOf(rules).map((watch) => watch.rules.map(({ id }) => id))).toEqual([["one", "three"], ["two"]]);
  expect(gone).toBe(rules.length);
});
