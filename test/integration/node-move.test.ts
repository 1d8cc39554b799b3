/** What usage a moved organization's parents see: the old one what was until the move, the new one what came after. */
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
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
afterAll(async () => {
  await world.close();
});

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
