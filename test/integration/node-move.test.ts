/** What usage a moved organization's parents see: the old one what was until the move, the new one what came after. */
import { afterAll, beforeAll, expect, test } from "vitest";
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

test("counts before the move stay, counts after it go along, and a session that runs then stays where it began", async () => {
  const beganMs = Date.now() - 10 * minuteMs;
  const at = (ms: number) => new Date(ms).toISOString();
  await send([
    { id: "1", type: "chat.posted", time: at(beganMs) },
    { id: "2", type: "participant.joined", session: "spans", user: "u1", time: at(beganMs) },
  ]);
  const moved = await world.ask("PATCH", `/v1/nodes/${inside}`, { key, body: { parent: sibling } });
  expect(moved.body.parent).toBe(sibling);
  const movedMs = Date.now();
  await expect.poll(() => Date.now(), { interval: 5 }).toBeGreaterThan(movedMs + 60);
  await send([
    { id: "3", type: "chat.posted", time: at(movedMs + 10) },
    { id: "4", type: "chat.posted", time: at(movedMs + 20) },
    // Late, of a time before the move.
    { id: "5", type: "chat.posted", time: at(beganMs + minuteMs) },
    { id: "6", type: "participant.left", session: "spans", user: "u1", time: at(movedMs + 30) },
    { id: "7", type: "participant.joined", session: "after", user: "u2", time: at(movedMs + 30) },
    { id: "8", type: "participant.left", session: "after", user: "u2", time: at(movedMs + 60) },
  ]);
  const minutes = (ms: number) => String(Number((ms / minuteMs).toFixed(6)));
  const spanning = movedMs + 30 - beganMs;
  expect(await totals(askedAbout)).toEqual({ chat_posts: 2, participation_minutes: minutes(spanning), sessions: 1 });
  expect(await totals(sibling)).toEqual({ chat_posts: 2, participation_minutes: minutes(30), sessions: 1 });
  expect(await totals(inside)).toEqual({ chat_posts: 4, participation_minutes: minutes(spanning + 30), sessions: 2 });
});
