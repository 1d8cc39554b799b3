import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { meterByName } from "../../../server/catalog/catalog.ts";
import { answerTogether, answerUsage } from "../../../server/metrics/usage.ts";
import { type Ingesting, startIngesting } from "../../support/ingesting.ts";
import { oracleSpans } from "../../support/usage-oracle.ts";
import { type AskableWorld, expectAnswer, usageQuestions } from "../../support/usage-questions.ts";
import { organizationsOf, usageWorlds } from "../../support/usage-world.ts";

const runs = Number(process.env.PROPERTY_RUNS ?? 400);
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
});
afterAll(() => ingesting.close());

test(`of ${runs} random questions about random usage every figure, total, instant and group equals the oracle's (PROPERTY_SEED=${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(usageQuestions, (asked) => expectAnswer(ingesting.usage, worlds, asked, nowMs)),
    { numRuns: runs, seed, endOnFailure: process.env.PROPERTY_SHRINK === undefined },
  );
}, 3_600_000);

test("questions asked together, over ranges that overlap, follow each other or lie apart, answer what each answers alone", async () => {
  const names =
    "participation_minutes,max_concurrent_sessions,sessions,active_participants,chat_posts,qa_posts,call_minutes";
  const meters = names.split(",").flatMap((name) => meterByName(name) ?? []);
  const hourMs = 3_600_000;
  // Where usage begins and mostly ends, so that much is open between two ranges.
  const instant = fc.oneof(
    fc.integer({ min: -60, max: 18 }).map((step) => (step * hourMs) / 6),
    fc.integer({ min: -10 * hourMs, max: 3 * hourMs }),
  );
  const span = fc.tuple(instant, instant, fc.constantFrom("hour" as const, "day" as const, "total" as const));
  const kinds = ["organization", "reseller", "partner", "all"];
  const asked = fc.record({
    world: fc.nat(),
    kind: fc.constantFrom(...kinds),
    spans: fc.array(span, { minLength: 2, maxLength: 4 }),
  });
  await fc.assert(
    fc.asyncProperty(asked, async ({ world, kind, spans }) => {
      const index = world % worlds.length;
      const { baseMs } = worlds[index] as AskableWorld;
      const nodes: Record<string, string> = {
        organization: `organization:${organizationsOf(index)[0]?.[0]}`,
        reseller: `reseller:r${index}`,
        partner: `partner:p${index}`,
      };
      const rest = {
        meters,
        node: nodes[kind] ?? "all",
        anchor: 1,
        tz: "Asia/Kathmandu",
        fill: "null" as const,
        filters: [],
        groupBy: undefined,
      };
      const questions = spans.map(([a, b, window]) => ({
        ...rest,
        window,
        fromMs: baseMs + Math.min(a, b),
        toMs: baseMs + Math.max(a, b) + 1,
      }));
      const { clickhouse } = ingesting.store;
      const alone = await Promise.all(
        questions.map((question) => answerUsage(clickhouse, question, new Date(nowMs), nowMs)),
      );
      expect(await answerTogether(clickhouse, questions, new Date(nowMs), nowMs)).toEqual(alone);
    }),
    { numRuns: Math.ceil(runs / 50), seed },
  );
});
