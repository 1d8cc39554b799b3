/** Requests whose bodies come slowly or not at all: what they were promised is not taken from anybody else. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AbusedService, startAbusedService } from "../../support/abused-service.ts";
import { harmOf } from "../../support/bystander.ts";
import { type RawSender, sendHead } from "../../support/raw-sender.ts";
import { eventually } from "../../support/service.ts";

let world: AbusedService;
beforeAll(async () => {
  world = await startAbusedService();
});
afterAll(() => world?.stop());

const made = async (body: object): Promise<string> => {
  const answer = await world.ask("/v1/keys", { key: world.service.rootKey, method: "POST", body });
  return ((await answer.json()) as { key: string }).key;
};

/** Requests that say how much will come, and of which a byte comes; `during` runs while all of them are open. */
async function whileSlow<Result>(
  count: number,
  { key, method, path, bytes }: { key: string; method: string; path: string; bytes: number },
  during: () => Promise<Result>,
): Promise<{ result: Result; answeredMeanwhile: number }> {
  const headers = {
    authorization: `Bearer ${key}`,
    "content-type": "application/json",
    "content-length": String(bytes),
  };
  let isOver = false;
  let answeredMeanwhile = 0;
  const senders: RawSender[] = [];
  for (let n = 0; n < count; n++) {
    const sender = await sendHead(world.service.url, method, path, headers);
    await sender.write("[");
    sender.answered.then((status) => {
      if (status !== undefined && !isOver) answeredMeanwhile++;
    });
    senders.push(sender);
  }
  try {
    return { result: await during(), answeredMeanwhile };
  } finally {
    isOver = true;
    for (const sender of senders) sender.destroy();
  }
}

test("the slow bodies of events of one key keep nobody else's events out", async () => {
  const other = await made({ name: "q", node: "reseller:quiet", scopes: ["ingest"], create_organizations: true });
  const same = await made({ name: "s", node: "reseller:loud", scopes: ["ingest"], create_organizations: true });
  const slow = { key: world.attacker.key, method: "POST", path: "/v1/events", bytes: 8 * 1024 * 1024 };
  const send = async (key: string) => {
    const id = crypto.randomUUID();
    const user = "u".repeat(200);
    const events = Array.from({ length: 2_000 }, (_, n) => ({
      id: `${id}${n}`,
      type: "chat.posted",
      organization: key.slice(-8),
      user,
    }));
    return (await world.ask("/v1/events", { key, method: "POST", body: events })).status;
  };
  const { result } = await whileSlow(60, slow, async () => {
    // The room that one key may have is held: the next of its bodies waits.
    const own = new AbortController();
    const waiting = world.ask("/v1/events", {
      method: "POST",
      body: Array(50_000).fill("x".repeat(150)),
      signal: own.signal,
    });
    const statuses = [await send(other), await send(other), await send(same)];
    own.abort();
    await waiting.catch(() => undefined);
    return statuses;
  });
  expect(result).toEqual([202, 202, 202]);
});

test("a body that is sent slowly holds no turn: colleagues are answered meanwhile", async () => {
  const colleague = await made({ name: "c", node: "reseller:loud", scopes: ["read"] });
  const keys = await Promise.all(
    [1, 2].map((n) => made({ name: `w${n}`, node: "reseller:loud", scopes: ["read", "admin"] })),
  );
  const slow = (key: string) => ({ key, method: "POST", path: "/v1/nodes", bytes: 200_000 });
  const asked = { ...world.bystander, key: colleague };
  const { result } = await whileSlow(12, slow(keys[0] as string), () =>
    whileSlow(12, slow(keys[1] as string), () => harmOf(asked, async () => "asked")),
  );
  expect(result.result.statuses).toEqual(new Map([[200, 1]]));
  expect(result.answeredMeanwhile).toBe(0);
});

test("memory that slow senders held is given back when they leave", async () => {
  const slow = { key: world.attacker.key, method: "POST", path: "/v1/events", bytes: 10_000_000 };
  await whileSlow(30, slow, async () => undefined);
  const body = Array.from({ length: 3 }, (_, n) => ({ id: `after-${n}`, type: "chat.posted", organization: "after" }));
  await eventually("the key's own events to be taken again", async () =>
    (await world.ask("/v1/events", { method: "POST", body })).status === 202 ? true : undefined,
  );
});
