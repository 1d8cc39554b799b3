import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Ingesting, startIngesting } from "../../support/ingesting.ts";
import { oracleSpans } from "../../support/usage-oracle.ts";
import { type AskableWorld, expectAnswer, usageQuestions } from "../../support/usage-questions.ts";
import { organizationsOf, usageWorlds } from "../../support/usage-world.ts";

const runs = Number(process.env.PROPERTY_RUNS ?? 1_000);
const worldCount = Math.ceil(runs / 50);
const seed = Number(process.env.PROPERTY_SEED ?? 20_261_121);
/** The worlds of today have their signs of life 5 minutes before it and 10, 20 and so on before that, give or take 90 s. */
const nowMs = Date.now();

let ingesting: Ingesting;
let worlds: AskableWorld[];

beforeAll(async () => {
  ingesting = await startIngesting();
  const made = usageWorlds(worldCount, seed, nowMs);
  worlds = made.map(({ baseMs, events }) => ({ baseMs, events, spans: oracleSpans(events, nowMs) }));
  for (const [index, world] of made.entries()) {
    for (const [id, path] of organizationsOf(index)) ingesting.tree.organizations.set(id, path);
    for (const delivery of world.deliveries) {
      const verdict = await ingesting.send(delivery);
      expect(verdict.rejected).toEqual([]);
    }
  }
}, 600_000);
afterAll(() => ingesting.close());

test(`of ${runs} random questions about random usage every figure, total, instant and group equals the oracle's (PROPERTY_SEED=${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(usageQuestions, (asked) => expectAnswer(ingesting.usage, worlds, asked, nowMs)),
    { numRuns: runs, seed, endOnFailure: process.env.PROPERTY_SHRINK === undefined },
  );
}, 3_600_000);
