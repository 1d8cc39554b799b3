import { afterAll, beforeAll, expect, test } from "vitest";
import { Emitter, type EventRejection } from "../../server/emitter/emitter.ts";
import { createWorld, type World } from "../support/isolation-world.ts";

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

test("the service takes what the emitter sends, every event once, and its presences as intervals", async () => {
  const { key } = await world.makeKey(["ingest", "read"]);
  const rejections: [EventRejection, string | undefined][] = [];
  const emitter = new Emitter({
    url: world.url,
    key,
    ack: "stored",
    eventsPerRequest: 500,
    onRejected: (rejection, event) => rejections.push([rejection, event.user]),
  });
  const organization = "inside-9f3c";
  const time = new Date(Date.now() - 90_000).toISOString();
  const presence = emitter.joined({ organization, session: "s1", user: "u1", room: "daily", time });
  presence.alive();
  presence.left();
  for (let index = 0; index < 1_200; index++)
    expect(emitter.offer({ type: "chat.posted", organization, user: `u${index}` })).toBe(true);
  emitter.offer({ type: "chat.posted", organization: "nowhere", user: "lost" });
  expect(await emitter.flush()).toMatchObject({ accepted: 1_203, duplicates: 0, rejected: 1, retries: 0 });
  expect(rejections).toMatchObject([[{ code: "outside_subtree", field: "organization" }, "lost"]]);
  expect(await emitter.close()).toEqual({ unsent: 0, rejected: 1 });
  const query = "meter=chat_posts,participation_minutes,sessions&window=total";
  const { body } = await world.ask("GET", `/v1/usage?${query}`, { key });
  const [chats, minutes, sessions] = body.meters.map(({ total }: { total: unknown }) => Number(total));
  expect([chats, sessions]).toEqual([1_200, 1]);
  expect(minutes).toBeGreaterThanOrEqual(1.5);
  expect(minutes).toBeLessThan(2);
});
