import { once } from "node:events";
import { pino } from "pino";
import { expect, onTestFinished, test, vi } from "vitest";
import type { LiveAnswer } from "../../server/contract/live.ts";
import { createLiveExchange, type LiveExchange } from "../../server/live/live-exchange.ts";
import { connectRedis } from "../../server/redis/connect-redis.ts";
import { patienceMs } from "../support/patience.ts";
import { ownRedis } from "../support/stores.ts";

const log = pino({ level: "silent" });

/** A process on the Redis at `url`, with what it has in memory. */
async function processOn(url: string, read: (node: string) => LiveAnswer | undefined): Promise<LiveExchange> {
  const redis = connectRedis(url, { name: "test", whenDown: "wait", log });
  await once(redis, "ready");
  const exchange = createLiveExchange({ redis, read, isSource: () => read !== nothing, log });
  onTestFinished(() => {
    exchange.close();
    redis.disconnect();
  });
  return exchange;
}

async function bus(): Promise<string> {
  const { url, stop } = await ownRedis();
  onTestFinished(stop);
  return url;
}

function answerOf(node: string, live_participants: number): LiveAnswer {
  const levels = { live_participants, live_sessions: 1, active_recordings: 0 };
  return { node, at: "2026-11-29T09:00:00.000Z", watermark: "2026-11-29T08:59:59.000Z", levels, rooms: [] };
}

const nothing = () => undefined;

test("a process without levels gets those of the process that has them, with its watermark, for each node that it asks about", async () => {
  const url = await bus();
  await processOn(url, (node) => answerOf(node, node === "all" ? 7 : 3));
  await processOn(url, nothing);
  const asking = await processOn(url, nothing);
  // Until every connection has subscribed a question may find nobody.
  await vi.waitFor(async () => expect(await asking.ask("all")).toEqual(answerOf("all", 7)), patienceMs);
  const nodes = Array.from({ length: 500 }, (_, index) => `organization:o${index}`);
  expect(await Promise.all(nodes.map((node) => asking.ask(node)))).toEqual(nodes.map((node) => answerOf(node, 3)));
});

test("who asks after something has changed is not given what was answered before", async () => {
  const url = await bus();
  let participants = 1;
  await processOn(url, (node) => answerOf(node, participants));
  const asking = await processOn(url, nothing);
  await vi.waitFor(async () => expect(await asking.ask("all")).toBeDefined(), patienceMs);
  for (const now of [2, 3, 4, 5]) {
    const before = asking.ask("all");
    participants = now;
    await before;
    expect((await asking.ask("all"))?.levels.live_participants).toBe(now);
  }
});

test("what the process that has levels does not have is read from storage at once, and what it has is asked for as before", async () => {
  const url = await bus();
  await processOn(url, (node) => (node === "organization:left-out" ? undefined : answerOf(node, 3)));
  const asking = await processOn(url, nothing);
  await vi.waitFor(async () => expect(await asking.ask("all")).toBeDefined(), patienceMs);
  for (let again = 0; again < 3; again++) {
    expect(await asking.ask("organization:left-out")).toBeUndefined();
    expect(await asking.ask("organization:kept")).toEqual(answerOf("organization:kept", 3));
  }
});

test("where nobody has levels storage is read, after a moment once and then at once, and another installation on the same Redis is ignored", async () => {
  await processOn(await bus(), (node) => answerOf(node, 1));
  const asking = await processOn(await bus(), nothing);
  expect(await asking.ask("all")).toBeUndefined();
  const later = asking.ask("all");
  await expect(Promise.race([later, Promise.resolve("late")])).resolves.toBeUndefined();
});
