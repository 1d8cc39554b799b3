/** Organizations that move, now and back in time, while sessions run: every figure at every level against the oracle. */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { placeOrganizations } from "../../../server/rollups/apply-moves.ts";
import { type Ingesting, startIngesting } from "../../support/ingesting.ts";
import { cutAtMoves, type OraclePlacement } from "../../support/moving-oracle.ts";
import { type OracleFacts, type OracleSpan, oracleRules, oracleSpans } from "../../support/usage-oracle.ts";
import { expectFigures } from "../../support/usage-questions.ts";
import { organizationsOf, type UsageWorld, usageWorlds } from "../../support/usage-world.ts";

const runs = Number(process.env.PROPERTY_RUNS ?? 60);
const worldCount = Math.ceil(runs / 30);
const seed = Number(process.env.PROPERTY_SEED ?? 20_261_121);
const nowMs = Date.now();
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Hours before a world's base, on its grid and off it, and so that some moves fall on the instant of an event. */
const moment = fc.oneof(
  fc.integer({ min: -60, max: 6 }).map((step) => step * 10 * minuteMs),
  fc.integer({ min: -50 * hourMs, max: 2 * hourMs }),
);
const drawnMoves = fc.array(
  fc.record({
    organization: fc.integer({ min: 0, max: 4 }),
    at: moment,
    to: fc.integer({ min: 0, max: 4 }),
    isBackdated: fc.boolean(),
  }),
  { minLength: 2, maxLength: 7 },
);

let ingesting: Ingesting;
let worlds: (UsageWorld & { spans: OracleSpan[]; placements: Map<string, OraclePlacement[]> })[];

beforeAll(async () => {
  ingesting = await startIngesting();
  const drawn = fc.sample(drawnMoves, { numRuns: worldCount, seed });
  worlds = [];
  for (const [index, world] of usageWorlds(worldCount, seed, nowMs).entries()) {
    const organizations = organizationsOf(index);
    const placements = new Map(
      organizations.map(([id, path]): [string, OraclePlacement[]] => [id, [{ sinceMs: 0, ...path }]]),
    );
    const move = ({ organization, at, to }: { organization: number; at: number; to: number }) => {
      const [id = ""] = organizations[organization] ?? [];
      const [, path] = organizations[to] ?? [];
      const own = (placements.get(id) ?? []).filter(({ sinceMs }) => sinceMs < world.baseMs + at);
      const last = own.at(-1);
      if (path && (last?.partner !== path.partner || last.reseller !== path.reseller))
        own.push({ sinceMs: world.baseMs + at, ...path });
      placements.set(id, own);
      ingesting.tree.placements.set(id, own);
      return { id, sinceMs: world.baseMs + at };
    };
    for (const [id, path] of organizations) ingesting.tree.organizations.set(id, path);
    for (const one of drawn[index] ?? []) if (!one.isBackdated) move(one);
    for (const [part, delivery] of world.deliveries.entries()) {
      expect((await ingesting.send(delivery)).rejected).toEqual([]);
      if (part !== 1) continue;
      for (const one of drawn[index] ?? []) if (one.isBackdated) await place(move(one));
    }
    worlds.push({ ...world, spans: oracleSpans(world.events, nowMs), placements });
  }
});
afterAll(() => ingesting.close());

async function place({ id, sinceMs }: { id: string; sinceMs: number }): Promise<void> {
  const { store, materializer, flush, sequence, tree } = ingesting;
  const placementsWithin = (organization: string, fromMs: number, toMs: number) =>
    tree.placementsWithin(organization, fromMs, toMs);
  await placeOrganizations(
    { clickhouse: store.clickhouse, materializer, flush, sequence, placementsWithin },
    { organizations: [id], sinceMs, nowMs, unfinished: [], record: async () => undefined },
  );
}

const levelsByValue = new Set(["recording_storage", "sip_trunks"]);
const questions = fc.record({
  world: fc.nat(),
  meter: fc.constantFrom(...Object.keys(oracleRules)),
  node: fc.constantFrom("partner:p", "reseller:r", "reseller:q", "organization:0", "organization:3", "all"),
  window: fc.constantFrom("hour" as const, "day" as const, "total" as const),
  cutMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: dayMs })),
  user: fc.option(fc.constantFrom("u0", "u1", "u2"), { freq: 3 }),
  groupBy: fc.option(fc.constantFrom("reseller", "partner", "organization")),
});

test(`of ${runs} random questions about organizations that moved, at once or back in time, every figure is the oracle's at every level (PROPERTY_SEED=${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(questions, async ({ world: place, meter, node, window, cutMs, user, groupBy }) => {
      const index = place % worlds.length;
      const world = worlds[index];
      if (!world) throw new Error("no such world");
      const organizations = organizationsOf(index).map(([id]) => id);
      const [kind = "", id = ""] = node.split(":");
      const address =
        kind === "all" ? "all" : `${kind}:${kind === "organization" ? organizations[Number(id)] : id + index}`;
      const isOfUser = (one: { user: string }) => user === null || one.user === user;
      const isInWorld = (one: { organization: string }) => organizations.includes(one.organization);
      const all: OracleFacts = {
        spans: world.spans.filter(isOfUser),
        events: world.events.filter(isOfUser),
      };
      const cut = cutAtMoves(all, (organization) => world.placements.get(organization) ?? [], levelsByValue.has(meter));
      const isInside = (one: { organization: string; reseller: string; partner: string }) =>
        isInWorld(one) &&
        ["all", `organization:${one.organization}`, `reseller:${one.reseller}`, `partner:${one.partner}`].includes(
          address,
        );
      const fromMs = world.baseMs - 2 * dayMs + cutMs;
      // At the root a filter narrows the question to one world's organizations.
      const filters = [
        ...(user === null ? [] : [{ dimension: "user", operator: "in" as const, values: [user] }]),
        ...(address === "all" ? [{ dimension: "organization", operator: "in" as const, values: organizations }] : []),
      ];
      await expectFigures(ingesting.usage, {
        meter,
        facts: { spans: cut.spans.filter(isInside), events: cut.events.filter(isInside) },
        query: { node: address, window, tz: "UTC", filters, ...(groupBy && { group_by: groupBy }) },
        fromMs,
        toMs: fromMs + 3 * dayMs,
        nowMs,
      });
    }),
    { numRuns: runs, seed, endOnFailure: process.env.PROPERTY_SHRINK === undefined },
  );
}, 3_600_000);
