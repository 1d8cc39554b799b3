import { afterAll, beforeAll, expect, test } from "vitest";
import { meterByName } from "../../../server/catalog/catalog.ts";
import { type ExplainKey, explainFigure } from "../../../server/lists/explain.ts";
import { type Ingesting, startIngesting } from "../../support/ingesting.ts";

let ingesting: Ingesting;
beforeAll(async () => {
  ingesting = await startIngesting();
  const at = (hour: number, minute = 0) => new Date(Date.UTC(2026, 2, 5, hour, minute)).toISOString();
  const of = (id: string, type: string, time: string, more = {}) => ({ id, type, time, organization: "acme", ...more });
  const present = (interval: string) => ({ session: "s1", user: interval, interval });
  await ingesting.send([
    of("early-in", "participant.joined", at(8), present("early")),
    of("early-alive", "participant.alive", at(9), present("early")),
    of("early-out", "participant.left", at(11), present("early")),
    of("paired-in", "participant.joined", at(9, 50), { session: "s2", user: "u9" }),
    of("paired-out", "participant.left", at(10, 10), { session: "s2", user: "u9" }),
    of("gone-in", "participant.joined", at(7), present("gone")),
    of("gone-out", "participant.left", at(8), present("gone")),
    of("orphan", "participant.left", at(10, 30), present("orphan")),
    of("stored", "recording.stored", at(1), { value: 5 }),
    ...Array.from({ length: 5 }, (_, place) => of(`chat-${place}`, "chat.posted", at(10, place), { user: "u1" })),
    of("chat-other", "chat.posted", at(12)),
    { ...of("chat-elsewhere", "chat.posted", at(10)), organization: "globex" },
  ]);
});
afterAll(() => ingesting.close());

const explain = (
  meterName: string,
  { node = "organization:acme", limit = 100, after = undefined as ExplainKey | undefined } = {},
) => {
  const meter = meterByName(meterName);
  if (!meter) throw new Error(`no meter ${meterName}`);
  const hour = { fromMs: Date.UTC(2026, 2, 5, 10), toMs: Date.UTC(2026, 2, 5, 11) };
  return explainFigure(ingesting.store.clickhouse, { meter, node, filters: [], ...hour, after, limit });
};
const ids = (sample: { id: string }[]) => sample.map(({ id }) => id);

test("behind a level's figure are the events of every interval that reaches into the window, wherever they lie, and no others", async () => {
  const { events, sample } = await explain("max_concurrent_participants");
  expect(ids(sample)).toEqual(["early-out", "paired-out", "paired-in", "early-alive", "early-in"]);
  expect(events).toBe(5);
});

test("behind a count are the events of the window and the node, and the cursor leads to each of them once", async () => {
  const found: string[] = [];
  let after: ExplainKey | undefined;
  do {
    const { events, sample, next } = await explain("chat_posts", { limit: 2, after });
    expect(events).toBe(5);
    found.push(...ids(sample));
    after = next;
  } while (after);
  expect(found).toEqual(["chat-4", "chat-3", "chat-2", "chat-1", "chat-0"]);
  expect((await explain("chat_posts", { node: "all" })).events).toBe(6);
});

test("behind a level by value are all events up to the window's end", async () => {
  expect(ids((await explain("recording_storage")).sample)).toEqual(["stored"]);
});
