/** What usage a moved organization's parents see: the old one what was until the move, the new one what came after. */
import { readFile } from "node:fs/promises";
import { sql } from "drizzle-orm";
import fc from "fast-check";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { closeStatements } from "../../server/billing/statements/close-statements.ts";
import { meterByName } from "../../server/catalog/catalog.ts";
import { agentAddress, nodeAddress } from "../../server/contract/node-address.ts";
import type { SessionSummary } from "../../server/contract/sessions.ts";
import type { Statement } from "../../server/contract/statements.ts";
import type { MeterUsage } from "../../server/contract/usage.ts";
import { nodeMoves } from "../../server/postgres/schema/accounts.ts";
import { applyMoves } from "../../server/rollups/apply-moves.ts";
import { reconcilePiece } from "../../server/rollups/reconcile-piece.ts";
import { askedAbout, createWorld, inside, type World } from "../support/isolation-world.ts";

const sibling = "reseller:sibling-9f3c";
let world: World;
let key: string;
beforeAll(async () => {
  world = await createWorld();
  key = (await world.makeKey(["ingest", "read", "admin"], "all")).key;
});
afterAll(() => world.close());

const organization = inside.slice("organization:".length);
const minuteMs = 60_000;

async function send(events: object[]): Promise<void> {
  const body = events.map((event) => ({ organization, ...event }));
  const answer = await world.ask("POST", "/v1/events?ack=stored", { key, body });
  expect([answer.status, answer.body.rejected]).toEqual([200, []]);
}

async function totals(node: string): Promise<Record<string, string | number>> {
  const query =
    "meter=chat_posts,participation_minutes,sessions&from=2026-01-01T00:00:00Z&to=2100-01-01T00:00:00Z&window=total";
  const { body } = await world.ask("GET", `/v1/usage?${query}&node=${node}`, { key });
  return Object.fromEntries(
    body.meters.map(({ meter, total }: { meter: string; total: string | number }) => [meter, total]),
  );
}

test("usage of an organization until it moves stays with the old reseller and is the new one's from then on, in a running session too", async () => {
  const beganMs = Date.now() - 10 * minuteMs;
  const at = (ms: number) => new Date(ms).toISOString();
  await send([
    { id: "1", type: "chat.posted", time: at(beganMs) },
    { id: "2", type: "participant.joined", session: "spans", user: "u1", time: at(beganMs) },
  ]);
  const moved = await world.ask("PATCH", `/v1/nodes/${inside}`, { key, body: { parent: sibling } });
  expect(moved.body.parent).toBe(sibling);
  const [row] = (await world.deps.postgres.db.select().from(nodeMoves)) as [typeof nodeMoves.$inferSelect];
  const movedMs = row.effectiveAt.getTime();
  await expect.poll(() => Date.now(), { interval: 5 }).toBeGreaterThan(movedMs + 60);
  const minutes = (ms: number) => String(Number((ms / minuteMs).toFixed(6)));
  await applyMoves(moving());
  // Nobody has sent anything since, and the running session counts at the new parent alone.
  const live = async (node: string) =>
    (await world.ask("GET", `/v1/live?node=${node}`, { key })).body.levels.live_participants;
  expect([await live(askedAbout), await live(sibling), await live(inside)]).toEqual([0, 1, 1]);
  await send([
    { id: "3", type: "chat.posted", time: at(movedMs + 10) },
    { id: "4", type: "chat.posted", time: at(movedMs + 20) },
    // Late, of a time before the move.
    { id: "5", type: "chat.posted", time: at(beganMs + minuteMs) },
    { id: "6", type: "participant.left", session: "spans", user: "u1", time: at(movedMs + 30) },
    { id: "7", type: "participant.joined", session: "after", user: "u2", time: at(movedMs + 30) },
    { id: "8", type: "participant.left", session: "after", user: "u2", time: at(movedMs + 60) },
  ]);
  const untilMove = minutes(movedMs - beganMs);
  expect(await totals(askedAbout)).toEqual({ chat_posts: 2, participation_minutes: untilMove, sessions: 1 });
  expect(await totals(sibling)).toEqual({ chat_posts: 2, participation_minutes: minutes(60), sessions: 1 });
  const whole = minutes(movedMs + 60 - beganMs);
  expect(await totals(inside)).toEqual({ chat_posts: 4, participation_minutes: whole, sessions: 2 });

  const listed = async (node: string) => {
    const { body } = await world.ask("GET", `/v1/sessions?node=${node}`, { key });
    return body.sessions.map((one: { session: string; started_at: string; ended_at: string }) => [
      one.session,
      Date.parse(one.started_at),
      Date.parse(one.ended_at),
    ]);
  };
  expect(await listed(askedAbout)).toEqual([["spans", beganMs, movedMs]]);
  expect(await listed(sibling)).toEqual([
    ["after", movedMs + 30, movedMs + 60],
    ["spans", movedMs, movedMs + 30],
  ]);
  expect(await listed(inside)).toEqual([
    ["after", movedMs + 30, movedMs + 60],
    ["spans", beganMs, movedMs + 30],
  ]);
  await expectNoDrift(beganMs);

  // It had moved five minutes earlier, as is found out now.
  const fromMs = movedMs - 5 * minuteMs;
  const body = { parent: sibling, effective_from: at(fromMs) };
  expect((await world.ask("PATCH", `/v1/nodes/${inside}`, { key, body })).status).toBe(200);
  await applyMoves(moving());
  const untilThen = minutes(fromMs - beganMs);
  expect(await totals(askedAbout)).toEqual({ chat_posts: 2, participation_minutes: untilThen, sessions: 1 });
  expect((await totals(sibling)).participation_minutes).toBe(minutes(movedMs + 60 - fromMs));
  // And had never been where it was: its counts go too.
  const never = { parent: sibling, effective_from: "2000-01-01T00:00:00Z" };
  expect((await world.ask("PATCH", `/v1/nodes/${inside}`, { key, body: never })).status).toBe(200);
  await applyMoves(moving());
  expect(await totals(askedAbout)).toEqual({ chat_posts: 0, participation_minutes: "0", sessions: 0 });
  expect(await totals(sibling)).toEqual({ chat_posts: 4, participation_minutes: whole, sessions: 2 });
  expect(await totals(inside)).toEqual({ chat_posts: 4, participation_minutes: whole, sessions: 2 });
  await expectNoDrift(beganMs);
});

function moving() {
  const { clickhouse, postgres, tree, ingest } = world.deps;
  if (!ingest) throw new Error("the world ingests");
  return { clickhouse, postgres, tree, ...ingest };
}

/** No stage differs from the one before it, on the days since `sinceMs`. */
async function expectNoDrift(sinceMs: number): Promise<void> {
  const log = pino({ level: "silent" });
  for (const day of new Set([sinceMs, Date.now()].map((ms) => new Date(ms).toISOString().slice(0, 10))))
    for (const piece of [organization, ""])
      expect(await reconcilePiece({ ...moving(), log }, { organization: piece, day })).toEqual([]);
}

/** Ids of a partner, two resellers below it, an organization of the first one and an agent. */
const roles = ["partner", "reseller", "second", "organization", "agent"] as const;
type Ids = Record<(typeof roles)[number], string>;
const idsOf = (of: (role: string) => string) => Object.fromEntries(roles.map((role) => [role, of(role)])) as Ids;

const odd = fc.array(fc.constantFrom("/", "%", ":", " ", "é", "%2F", "%25", "x"), { minLength: 1, maxLength: 4 });
const drawn = fc.sample(fc.tuple(...roles.map(() => odd)), { numRuns: 1, seed: 20_261_129 });
const oddIds = drawn.map((parts, number) => {
  const texts = parts.map((pieces, role) => `${pieces.join("")}${number}${role}/%2F`);
  return idsOf((role) => texts[roles.indexOf(role as (typeof roles)[number])] ?? "");
});

const nodesOf = ({ partner, reseller, second, organization: own, agent }: Ids) => [
  nodeAddress("partner", partner),
  nodeAddress("reseller", reseller),
  nodeAddress("reseller", second),
  nodeAddress("organization", own),
  agentAddress(own, agent),
];

/** January's usage and, since ten minutes ago, a session that runs; a plan that partner and reseller pay for, too. */
async function startTree(ids: Ids): Promise<void> {
  const [partner, first, , own] = nodesOf(ids);
  for (const [kind, role, parent] of [
    ["partner", "partner", "all"],
    ["reseller", "reseller", partner],
    ["reseller", "second", partner],
    ["organization", "organization", first],
  ] as const) {
    const made = await world.ask("POST", "/v1/nodes", { key, body: { kind, id: ids[role], parent, name: role } });
    expect([made.status, made.body.id]).toEqual([201, ids[role]]);
  }
  const post = async (path: string, body: object) => (await world.ask("POST", path, { key, body })).body.id as string;
  const price = { model: "graduated", tiers: [{ up_to: null, unit_price: "0.10" }] };
  const prices = { organization: price, reseller: price };
  const calls = { key: "calls", meter: "call_minutes", overage: "bill", prices };
  const plan = await post("/v1/plans", { name: "Plan", node: partner, currency: "EUR", features: [calls] });
  await world.ask("POST", `/v1/plans/${plan}/publish`, { key });
  await post("/v1/subscriptions", { node: own, plan, starts_at: "2026-01-01T00:00:00Z" });
  const { organization: named, agent } = ids;
  const on = (day: number, type: string, more: object = {}) => ({
    id: `${day} ${type}`,
    type,
    time: `2026-01-${day}T10:00:00Z`,
    organization: named,
    agent,
    user: "u1",
    ...more,
  });
  const days = [10, 20].flatMap((day) => [
    on(day, "participant.joined", { session: `s${day}`, room: "daily" }),
    on(day, "recording.started", { session: `s${day}`, interval: `r${day}` }),
    on(day, "recording.stopped", { session: `s${day}`, interval: `r${day}`, time: `2026-01-${day}T10:30:00Z` }),
    on(day, "participant.left", { session: `s${day}`, time: `2026-01-${day}T11:00:00Z` }),
    on(day, "chat.posted"),
    on(day, "call.completed", { value: String(day) }),
    on(day, "recording.stored", { value: String(day) }),
    on(day, "sip.installed"),
    on(day, "transcription.requested", { job: `j${day}` }),
    on(day, "transcription.completed", {
      job: `j${day}`,
      time: `2026-01-${day}T10:05:00Z`,
      value: "5",
      properties: { accuracy: "95" },
    }),
  ]);
  const since = new Date(Date.now() - 10 * minuteMs).toISOString();
  await send([...days, on(30, "participant.joined", { session: "runs", time: since })]);
}

const askedMeters = [
  "participation_minutes",
  "max_concurrent_participants",
  "max_participants_per_session",
  "active_users",
  "chat_posts",
  "call_minutes",
  "job_turnaround",
  "recording_storage",
];

/** What the partner and both resellers see, of their figures now those alone that time does not change. */
async function figuresOf(ids: Ids): Promise<object[]> {
  const roleOf = new Map([...nodesOf(ids), ...Object.values(ids)].map((name, place) => [name, place % roles.length]));
  const named = (name: string) => roleOf.get(name) ?? name;
  const get = async (path: string) => {
    const answer = await world.ask("GET", path, { key });
    expect([path, answer.status, answer.body.detail]).toEqual([path, 200, undefined]);
    return answer.body;
  };
  const figures = nodesOf(ids)
    .slice(0, 3)
    .map(async (node) => {
      const at = `node=${encodeURIComponent(node)}&from=2026-01-01&to=2026-02-01`;
      const usage = await get(`/v1/usage?${at}&window=total&meter=${askedMeters}`);
      const grouped = await get(`/v1/usage?${at}&window=total&group_by=reseller&meter=chat_posts,sessions`);
      const live = await get(`/v1/live?node=${encodeURIComponent(node)}`);
      const { sessions } = await get(`/v1/sessions?${at}`);
      const { jobs } = await get(`/v1/jobs?${at}`);
      const { statements } = await get(`/v1/statements?node=${encodeURIComponent(node)}`);
      return {
        usage: usage.meters.map(({ meter, total, at: atTime }: MeterUsage) => [meter, total, atTime]),
        groups: grouped.meters.map((one: MeterUsage) =>
          one.groups?.map(({ key, total }) => [named(key), total]).sort(),
        ),
        live: [live.levels, live.rooms.length],
        sessions: sessions.map((one: SessionSummary) => [one.session, one.started_at, one.ended_at]),
        jobs: jobs.map(({ job, status }: { job: string; status: string }) => [job, status]),
        statements: statements.map(({ node: of, kind, total }: Statement) => [named(of), kind, total]).sort(),
      };
    });
  return await Promise.all(figures);
}

/** Below the other reseller since the middle of January. */
async function moveBack(ids: Ids): Promise<void> {
  const [, , second, own = ""] = nodesOf(ids);
  const body = { parent: second, effective_from: "2026-01-15T00:00:00Z" };
  const moved = await world.ask("PATCH", `/v1/nodes/${encodeURIComponent(own)}`, { key, body });
  expect(moved.status).toBe(200);
  await applyMoves(moving());
}

const plain = idsOf((role) => `plain ${role}`);
/** Those that closed before the mend are as they were. */
const withoutStatements = (figures: object[]) => figures.map((one) => ({ ...one, statements: undefined }));

test("whatever characters ids have, every figure, session, job and statement is that of the same tree with plain ids, before and after a move", async () => {
  const trees = [plain, ...oddIds];
  const { deps } = world;
  for (const ids of trees) await startTree(ids);
  const before = await figuresOf(plain);
  // At the reseller: an hour for each of two days, both chats, and the one who is there now.
  expect(before[1]).toMatchObject({ live: [{ live_participants: 1 }, 1] });
  for (const ids of oddIds) expect(await figuresOf(ids)).toEqual(before);
  for (const ids of trees) await moveBack(ids);
  await closeStatements({ ...deps, meterOf: meterByName }, Date.parse("2026-02-03T00:00:00Z"));
  const after = await figuresOf(plain);
  for (const ids of oddIds) expect(await figuresOf(ids)).toEqual(after);
});

test("what was derived with ids as addresses write them is mended by the upgrade", async () => {
  const [ids] = oddIds.map((one) => idsOf((role) => `mended ${one[role as keyof Ids]}`)) as [Ids];
  const { tree, postgres } = world.deps;
  const placementsWithin = tree.placementsWithin.bind(tree);
  const asWritten = (id: string) => nodeAddress("reseller", id).slice("reseller:".length);
  const former = vi.spyOn(tree, "placementsWithin").mockImplementation((...asked) =>
    placementsWithin(...asked)?.map((one) => ({
      ...one,
      partner: asWritten(one.partner),
      reseller: asWritten(one.reseller),
    })),
  );
  await startTree(ids);
  await moveBack(ids);
  former.mockRestore();
  const expected = withoutStatements(await figuresOf(plain));
  expect(withoutStatements(await figuresOf(ids))).not.toEqual(expected);
  const migration = await readFile("server/postgres/migrations/0038_ids_of_parents.sql", "utf8");
  await postgres.db.execute(sql.raw(migration));
  await applyMoves(moving());
  expect(withoutStatements(await figuresOf(ids))).toEqual(expected);
});
