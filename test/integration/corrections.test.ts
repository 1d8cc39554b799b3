import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import fc from "fast-check";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { system } from "../../server/audit/record-change.ts";
import type { EventRow } from "../../server/clickhouse/event-columns.ts";
import type { UsageEvent } from "../../server/contract/events.ts";
import { type Corrections, createCorrections } from "../../server/corrections/corrections.ts";
import { readCorrectionsWithin } from "../../server/corrections/read-corrections.ts";
import type { Postgres } from "../../server/postgres/client.ts";
import { eventCorrections } from "../../server/postgres/schema/corrections.ts";
import type { NodeTree } from "../../server/tree/node-tree.ts";
import { type Ingesting, startIngesting } from "../support/ingesting.ts";
import { type OwnTree, ownTree } from "../support/own-tree.ts";
import { patienceMs } from "../support/patience.ts";
import { oracleSpans } from "../support/usage-oracle.ts";
import { type AskableWorld, expectAnswer, usageQuestions } from "../support/usage-questions.ts";
import { asOracle, organizationsOf, usageWorlds } from "../support/usage-world.ts";

const runs = Number(process.env.PROPERTY_RUNS ?? 30);
const seed = Number(process.env.PROPERTY_SEED ?? 20_261_121);
const nowMs = Date.now();

let ingesting: Ingesting;
let close: OwnTree["close"];
let postgres: Postgres;
let tree: NodeTree;
let corrections: Corrections;

beforeAll(async () => {
  ({ postgres, tree, close } = await ownTree());
  await tree.ensureOrganizations(["acme", "globex"], "all");
  ingesting = await startIngesting();
  corrections = createCorrections({
    postgres,
    clickhouse: ingesting.store.clickhouse,
    tree: ingesting.tree,
    ingest: ingesting,
    patienceMs,
  });
});
afterAll(async () => {
  await ingesting.close();
  await close();
});

const asked = (organization: string, id: string, changes?: Record<string, unknown>) => ({
  organization,
  id,
  timeMs: undefined,
  reason: "it was wrong",
  changes,
  by: system,
  mayMoveTo: () => undefined,
  mayChange: () => undefined,
  check: () => undefined,
});

const picks = fc.array(
  fc.record({
    pick: fc.nat(),
    change: fc.constantFrom(
      "void",
      "void",
      "time",
      "user",
      "session",
      "value",
      "organization",
      "properties",
      "interval",
    ),
    by: fc.integer({ min: -20, max: 0 }),
  }),
  { minLength: 14, maxLength: 14 },
);

test(`after random events were voided and amended, every figure is that of the events as they stand (PROPERTY_SEED=${seed})`, async () => {
  const made = usageWorlds(Math.ceil(runs / 50), seed, nowMs);
  const drawn = fc.sample(picks, { numRuns: made.length, seed });
  const worlds: AskableWorld[] = [];
  for (const [index, world] of made.entries()) {
    const paths = new Map(organizationsOf(index));
    for (const [id, path] of paths) ingesting.tree.organizations.set(id, path);
    await tree.ensureOrganizations([...paths.keys()], "all");
    for (const delivery of world.deliveries) await ingesting.send(delivery);
    const standing = new Map<string, Partial<UsageEvent>>();
    for (const event of world.deliveries.flat()) standing.set(event.id ?? "", event);
    for (const { pick, change, by } of drawn[index] ?? []) {
      const [id, event] = [...standing][pick % standing.size] ?? [];
      if (id === undefined || event?.organization === undefined) continue;
      const changes = changeOf(event, change, by, [...paths.keys()]);
      if (changes === null) continue;
      const correction = await corrections.correct(asked(event.organization, id, changes));
      expect(correction.appliedAt).not.toBeNull();
      if (changes === undefined) standing.delete(id);
      else {
        // An amount is of minutes or of seconds.
        const { seconds, ...others } = event;
        standing.set(id, { ...(changes.value === undefined ? event : others), ...changes });
      }
    }
    const events = [...standing.values()].map((event) => asOracle(event, paths));
    worlds.push({ baseMs: world.baseMs, events, spans: oracleSpans(events, nowMs) });
  }
  await fc.assert(
    fc.asyncProperty(usageQuestions, (question) => expectAnswer(ingesting.usage, worlds, question, nowMs)),
    { numRuns: runs, seed, endOnFailure: process.env.PROPERTY_SHRINK === undefined },
  );
}, 3_600_000);

/** undefined: to void it; null: this change would change nothing, or is none that the event may have. */
function changeOf(
  event: Partial<UsageEvent>,
  change: string,
  by: number,
  organizations: readonly string[],
): Partial<UsageEvent> | undefined | null {
  const isOfLevel = !/^(?:chat|transcription|call|question|answer|glossary|translation)|stored|deleted|^sip/.test(
    event.type ?? "",
  );
  switch (change) {
    case "void":
      return undefined;
    case "time":
      return by === 0 ? null : { time: new Date(Date.parse(event.time ?? "") + by * 600_000).toISOString() };
    case "user":
      return event.user === undefined || event.user === "u3" ? null : { user: "u3" };
    case "session":
      // An interval is of one session: one event alone cannot take it into another.
      return event.session === undefined || event.session === "s2" || event.interval !== undefined
        ? null
        : { session: "s2", room: "room-0" };
    case "value":
      return isOfLevel || event.value === "1.5" ? null : { value: "1.5" };
    case "properties":
      return isOfLevel || event.properties?.language === "de"
        ? null
        : { properties: { language: "de", kind: "caption" } };
    case "organization": {
      const to = organizations[-by % organizations.length] ?? "";
      return to === event.organization ? null : { organization: to };
    }
    default:
      return !isOfLevel || event.type === "session.ended" || event.interval === undefined
        ? null
        : { interval: `${event.interval}x` };
  }
}

test("a correction that was on record when the process ended is applied by the next one, once, however often it is tried", async () => {
  const time = "2026-03-05T10:00:00.000Z";
  await ingesting.send([
    { id: "c1", type: "chat.posted", organization: "acme", time },
    { id: "c2", type: "chat.posted", organization: "acme", time },
  ]);
  const ask = async () => {
    const [posts] = await ingesting.usage({
      meter: "chat_posts",
      node: "organization:acme",
      from: "2026-03-05",
      to: "2026-03-06",
    });
    return posts?.total;
  };
  const interrupted = createCorrections({
    postgres,
    clickhouse: ingesting.store.clickhouse,
    tree: ingesting.tree,
    ingest: undefined,
    patienceMs: 0,
  });
  const recorded = await interrupted.correct(asked("acme", "c1"));
  expect(recorded.appliedAt).toBeNull();
  expect(await ask()).toBe(2);
  await corrections.applyPending();
  expect(await ask()).toBe(1);
  await postgres.db.update(eventCorrections).set({ appliedAt: null }).where(eq(eventCorrections.eventId, "c1"));
  await Promise.all([corrections.applyPending(), corrections.applyPending()]);
  expect(await ask()).toBe(1);
  const [{ appliedAt } = { appliedAt: null }] = await corrections.history("acme", { id: "c1" });
  expect(appliedAt).not.toBeNull();
});

test("an event that was moved to another organization may be moved back, in the place of what was voided none may come", async () => {
  const time = "2026-03-06T10:00:00.000Z";
  const post = (id: string, organization: string) => ({ id, type: "chat.posted", organization, time });
  await ingesting.send([post("b1", "acme"), post("b2", "acme"), post("b2", "globex")]);
  const posts = async (organization: string) => {
    const question = {
      meter: "chat_posts",
      node: `organization:${organization}`,
      from: "2026-03-06",
      to: "2026-03-07",
    };
    return (await ingesting.usage(question))[0]?.total;
  };
  for (let round = 0; round < 2; round++) {
    await corrections.correct(asked("acme", "b1", { organization: "globex" }));
    expect([await posts("acme"), await posts("globex")]).toEqual([1, 2]);
    await corrections.correct(asked("globex", "b1", { organization: "acme" }));
    expect([await posts("acme"), await posts("globex")]).toEqual([2, 1]);
  }
  await corrections.correct(asked("acme", "b2"));
  await expect(corrections.correct(asked("globex", "b2", { organization: "acme" }))).rejects.toMatchObject({
    code: "conflict",
  });
  expect([await posts("acme"), await posts("globex")]).toEqual([1, 1]);
});

test("an event that was voided stays void when it is sent again, and voiding it again answers the first voiding", async () => {
  const event = { id: "v1", type: "chat.posted", organization: "acme", time: "2026-03-07T10:00:00.000Z" };
  await ingesting.send([event]);
  const first = await corrections.correct(asked("acme", "v1"));
  expect(await ingesting.send([event])).toMatchObject({ accepted: 0, duplicates: 1 });
  expect(await corrections.correct(asked("acme", "v1"))).toMatchObject({ id: first.id });
  const [posts] = await ingesting.usage({
    meter: "chat_posts",
    node: "organization:acme",
    from: "2026-03-07",
    to: "2026-03-08",
  });
  expect(posts?.total).toBe(0);
  await expect(corrections.correct(asked("acme", "v1", { user: "u1" }))).rejects.toMatchObject({ code: "conflict" });
});

test("two who amend one event at once do not both succeed, and what an emitter could not send is refused by its field", async () => {
  await ingesting.send([
    { id: "a1", type: "call.completed", organization: "acme", value: "2.5", time: "2026-03-09T10:00:00.000Z" },
  ]);
  const both = await Promise.allSettled([
    corrections.correct(asked("acme", "a1", { value: "3.5" })),
    corrections.correct(asked("acme", "a1", { value: "4.5" })),
  ]);
  expect(both.filter((one) => one.status === "fulfilled").length).toBeGreaterThanOrEqual(1);
  const rejected = both.find((one) => one.status === "rejected");
  if (rejected?.status === "rejected") expect(rejected.reason).toMatchObject({ code: "conflict" });
  const [minutes] = await ingesting.usage({
    meter: "call_minutes",
    node: "organization:acme",
    from: "2026-03-09",
    to: "2026-03-10",
  });
  expect(["3.5", "4.5"]).toContain(minutes?.total);
  for (const [changes, field] of [
    [{ value: "1.2.3" }, "changes.value"],
    [{ time: "yesterday" }, "changes.time"],
    [{ id: "other" }, "changes.id"],
    [{ type: null }, "changes.type"],
  ] as const)
    await expect(corrections.correct(asked("acme", "a1", changes))).rejects.toMatchObject({
      code: "invalid_request",
      field,
    });
  await expect(corrections.correct(asked("acme", "nothing"))).rejects.toMatchObject({ code: "not_found" });
});

test("of the corrections behind a figure only the newest hundred of the asked node are read, whatever other tenants corrected", async () => {
  await tree.importNodes(
    ["reseller", "organization"].map((kind) => ({
      kind: kind as "reseller" | "organization",
      id: kind === "reseller" ? "shop" : "shop/customer",
      name: kind,
      parent: kind === "reseller" ? "all" : "reseller:shop",
    })),
    system,
  );
  const timeMs = Date.UTC(2020, 5, 1);
  const made = (id: string, organization: string, minute: number, { agent = "", moved = "", hour = 0 } = {}) => {
    const before = { organization, agent, id, time_ms: timeMs + hour * 3_600_000 } as EventRow;
    return {
      id,
      organization,
      eventId: id,
      action: "amend" as const,
      reason: "wrong",
      replaces: 1,
      actorKind: "system",
      actorId: "s",
      actorName: "s",
      at: new Date(timeMs + minute * 60_000),
      before,
      after: { ...before, organization: moved || organization },
      newOrganization: moved || null,
      appliedAt: new Date(),
    };
  };
  const rows = [
    ...Array.from({ length: 120 }, (_, index) => made(`own-${index}`, "shop/customer", index)),
    ...Array.from({ length: 200 }, (_, index) => made(`other-${index}`, "globex", 1_000 + index)),
    made("later", "shop/customer", 500, { hour: 1 }),
    made("came", "globex", 501, { moved: "shop/customer" }),
    made("agents", "shop/customer", 502, { agent: "a/1" }),
  ];
  await postgres.db.insert(eventCorrections).values(rows);
  const read: number[] = [];
  const counted = drizzle({
    query: async (...args: unknown[]) => {
      const result: pg.QueryResult = await Reflect.apply(postgres.pool.query, postgres.pool, args);
      read.push(result.rows.length);
      return result;
    },
  } as pg.Pool);
  const hour = { fromMs: timeMs, toMs: timeMs + 3_600_000 };
  const of = async (node: string) =>
    (await readCorrectionsWithin(counted, tree, { node, ...hour })).map(({ id }) => id);
  const own = [...Array.from({ length: 98 }, (_, index) => `own-${index + 22}`), "came", "agents"];
  expect(await of("reseller:shop")).toEqual(own);
  expect(await of("organization:shop%2Fcustomer")).toEqual(own);
  expect(await of("agent:shop%2Fcustomer/a%2F1")).toEqual(["agents"]);
  expect(await of("organization:acme")).toEqual([]);
  expect((await of("all")).at(-1)).toBe("other-199");
  expect(read).toEqual([100, 100, 1, 0, 100]);
});
