import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventType } from "../../../server/catalog/catalog.ts";
import { acceptRequest } from "../../../server/ingest/accept/accept-request.ts";
import { OutcomeTally, recount } from "../../../server/ingest/accept/event-outcomes.ts";
import { lineColumns } from "../../../server/ingest/accept/event-row.ts";
import type { SendingKey } from "../../../server/ingest/accept/sending-key.ts";
import { storeOutcomes } from "../../../server/ingest/flush/store-outcomes.ts";
import { answerIngestHealth, wholeMinutes } from "../../../server/metrics/ingest-health.ts";
import { compactIngestOutcomes } from "../../../server/rollups/compact-outcomes.ts";
import { rootKey } from "../../support/accepting.ts";
import { type Ingesting, startIngesting } from "../../support/ingesting.ts";

let ingesting: Ingesting;
beforeEach(async () => {
  ingesting = await startIngesting();
});
afterEach(() => ingesting.close());

const hourMs = 3_600_000;
const ago = (ms: number) => new Date(Date.now() - ms).toISOString();
const event = (id: string, rest: object = {}) => ({ id, type: "chat.posted", organization: "acme", ...rest });

async function send(events: readonly unknown[], sendingKey: SendingKey = rootKey, isAtomic = false) {
  const { decision, position } = await acceptRequest(
    { ...ingesting, eventType, now: Date.now },
    {
      headers: new Headers({ "content-type": "application/json" }),
      body: new Blob([JSON.stringify(events)]).stream(),
      sendingKey,
      isAtomic,
    },
  );
  if (position) await ingesting.flush.whenStored(position);
  return decision;
}

function health(node = "all", groupBy?: "key" | "organization") {
  const nowMs = Date.now();
  const range = wholeMinutes(nowMs - hourMs, nowMs + 1);
  const question = { node, ...range, window: "minute" as const, tz: "UTC", groupBy };
  return answerIngestHealth(ingesting.store.clickhouse, question, new Date(nowMs), nowMs);
}

test("every event is counted once under what became of it, whatever else is said of it besides", async () => {
  await send([
    event("1"),
    event("2", { time: ago(2 * hourMs) }),
    event("3", { time: ago(20 * 60_000) }),
    event("4", { type: "made.up" }),
    event("1"),
    event("1", { job: "another body" }),
    event("5", { value: "many" }),
    { type: "chat.posted", organization: "acme" },
    event("6", { organization: "nobody-made-it\tnor could" }),
    "no event",
  ]);
  await send([event("1"), event("2", { time: ago(0) })]);
  const { total, series, freshness } = await health();
  expect(total).toEqual({
    accepted: 5,
    duplicates: 2,
    rejected: 5,
    late: 2,
    unmatched: 1,
    rejected_by: { id_conflict: 2, invalid_field: 1, missing_field: 1, not_an_object: 1 },
    late_by: { over_1h: 1, over_15m: 1 },
    warned: 0,
    warned_by: {},
  });
  expect(series.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(5);
  expect(series.at(-1)?.partial).toBe(true);
  expect(freshness).toBeNull();
});

test("a warning is in the verdict, by its field, and is counted by its code", async () => {
  const done = (id: string, rest: object) => event(id, { type: "transcription.completed", job: id, value: 1, ...rest });
  const properties = (id: string, given: object) => done(id, { properties: given });
  const { accepted, warnings, rejected } = await send([
    done("w1", { value: undefined }),
    event("w2", { type: "call.completed" }),
    properties("w3", { mode: "live", kind: "transcript" }),
    properties("w4", { accuracy: "good" }),
    event("w5", { properties: { visibility: "hidden" } }),
    event("w6", { type: "broadcast.started", interval: "b1", properties: { medium: "smell" } }),
    properties("fine", { mode: "batch", kind: "caption", accuracy: "100", length: "12" }),
    properties("r1", { accuracy: 100.5 }),
    properties("r2", { accuracy: "-1" }),
    done("r3", { value: "-0.5" }),
    done("r4", { value: undefined, seconds: -1 }),
    event("r5", { type: "recording.stored", value: -2 }),
  ]);
  expect(accepted).toBe(7);
  expect(warnings.map(({ index, id, code, field }) => [index, id, code, field])).toEqual([
    [0, "w1", "missing_value", "value"],
    [1, "w2", "missing_value", "value"],
    [2, "w3", "unknown_value", "properties.mode"],
    [3, "w4", "not_a_number", "properties.accuracy"],
    [4, "w5", "unknown_value", "properties.visibility"],
    [5, "w6", "unknown_value", "properties.medium"],
  ]);
  expect(rejected.map(({ id, code, field }) => [id, code, field])).toEqual([
    ["r1", "invalid_field", "properties.accuracy"],
    ["r2", "invalid_field", "properties.accuracy"],
    ["r3", "invalid_field", "value"],
    ["r4", "invalid_field", "seconds"],
    ["r5", "invalid_field", "value"],
  ]);
  const { total } = await health("organization:acme");
  expect([total.warned, total.warned_by]).toEqual([6, { missing_value: 2, unknown_value: 3, not_a_number: 1 }]);
});

test("doubts that only several events together raise are warned of: a job completed twice, two devices, an interval named on one side", async () => {
  const move = (id: string, type: string, user: string, rest: object = {}) =>
    event(id, { type: `participant.${type}`, session: "s", user, ...rest });
  const on = (device: string) => ({ properties: { device } });
  const done = { type: "transcription.completed", value: 1, job: "j" };
  const batch = [
    event("j1", done),
    event("j2", done),
    move("d1", "joined", "u1", on("phone")),
    move("d2", "joined", "u1", on("laptop")),
    move("i1", "joined", "u2", { interval: "c1" }),
    move("i2", "left", "u2"),
    move("i3", "joined", "u3"),
    move("i4", "left", "u3", { interval: "c2" }),
  ];
  const expected = [
    ["j2", "completed_twice", "job"],
    ["d2", "ambiguous_pairing", "interval"],
    ["i2", "interval_mismatch", "interval"],
    ["i4", "interval_mismatch", "interval"],
  ];
  const outcomesOf = async (sent: readonly unknown[], isAtomic = false) =>
    (await send(sent, rootKey, isAtomic)).warnings.map(({ id, code, field }) => [id, code, field]);
  expect(await outcomesOf([...batch, "no event"], true)).toEqual([]);
  expect(await outcomesOf(batch)).toEqual(expected);
  expect(await outcomesOf(batch)).toEqual([]);
  const fine = [
    move("f1", "left", "u1"),
    move("f2", "joined", "u1", on("laptop")),
    move("f3", "left", "u1"),
    move("f4", "joined", "u4", { interval: "c4" }),
    move("f5", "joined", "u4", { interval: "c5" }),
    move("f6", "left", "u4", { interval: "c4" }),
    move("f7", "left", "u4", { interval: "c5" }),
    event("j3", { ...done, job: "another" }),
  ];
  expect(await outcomesOf(fine)).toEqual([]);
  expect(await outcomesOf([event("j4", done)])).toEqual([["j4", "completed_twice", "job"]]);
  expect((await health("organization:acme")).total.warned_by).toEqual({
    completed_twice: 2,
    ambiguous_pairing: 1,
    interval_mismatch: 2,
  });
});

test("a subtree sees its own counts only, and a key's owner what named no organization that the key may see", async () => {
  const ofReseller = { id: "key_r1", node: "reseller:r1", createOrganizations: false };
  await send([event("1", { organization: "globex" })]);
  await send([event("2", { organization: "acme" }), event("3", { organization: "globex" }), "no event"], ofReseller);
  const counted = async (node: string) => {
    const { accepted, rejected_by } = (await health(node)).total;
    return { accepted, ...rejected_by };
  };
  expect(await counted("all")).toEqual({ accepted: 2, outside_subtree: 1, not_an_object: 1 });
  expect(await counted("organization:globex")).toEqual({ accepted: 1 });
  expect(await counted("partner:p2")).toEqual({ accepted: 1 });
  expect(await counted("organization:acme")).toEqual({ accepted: 1 });
  expect(await counted("reseller:r2")).toEqual({ accepted: 1 });
  expect(await counted("reseller:r1")).toEqual({ accepted: 0, outside_subtree: 1, not_an_object: 1 });
  expect(await counted("partner:p1")).toEqual({ accepted: 1, outside_subtree: 1, not_an_object: 1 });
  const groups = (await health("all", "key")).groups ?? [];
  expect(groups.map(({ key, accepted, rejected }) => [key, accepted, rejected])).toEqual([
    ["key_r1", 1, 2],
    ["key_1", 1, 0],
  ]);
});

test("requests that leave nothing to store are counted too: repeats alone, and an atomic one that was refused", async () => {
  await send([event("1"), event("2")]);
  await send([event("1"), event("2")]);
  expect((await send([event("3"), "no event"], rootKey, true)).isAborted).toBe(true);
  const { accepted, duplicates, rejected_by } = (await health()).total;
  expect({ accepted, duplicates, rejected_by }).toEqual({
    accepted: 2,
    duplicates: 2,
    rejected_by: { aborted: 1, not_an_object: 1 },
  });
});

test("accepted, duplicate and rejected events are all that were sent, in any order, and stay so through folding", async () => {
  let sent = 0;
  const anEvent = fc.record({
    id: fc.constantFrom("a", "b", "c", "d"),
    type: fc.constantFrom("chat.posted", "made.up"),
    organization: fc.constantFrom("acme", "globex", ""),
    time: fc.constantFrom(ago(0), ago(5 * hourMs), "not a time"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(anEvent, { maxLength: 8 }), fc.boolean(), async (events, isAtomic) => {
      sent += events.length;
      await send(events, rootKey, isAtomic);
    }),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 8) },
  );
  const before = (await health("all", "organization")).groups;
  const { accepted, duplicates, rejected } = (await health()).total;
  expect(accepted + duplicates + rejected).toBe(sent);
  const stored = await ingesting.store.clickhouse.select(
    "SELECT toInt32(count()) AS count FROM usage_events FINAL",
    {},
  );
  expect(stored).toEqual([{ count: accepted }]);
  const { sequence, flush, store } = ingesting;
  const later = Date.now() + 2 * hourMs;
  expect(
    (await compactIngestOutcomes(store.clickhouse, sequence, flush.settledBatch, later)).foldedRows,
  ).toBeGreaterThan(0);
  expect((await compactIngestOutcomes(store.clickhouse, sequence, flush.settledBatch, later)).foldedRows).toBe(0);
  expect((await health("all", "organization")).groups).toEqual(before);
});

test("a batch whose counts are sent again is counted once, and what storage refused is not left among the accepted", async () => {
  const place = { organization: "acme", partner: "", reseller: "", agent: "" };
  const minuteMs = Math.floor(Date.now() / 60_000) * 60_000;
  const tally = new OutcomeTally();
  tally.add(place, "key_1", "accepted", "", 2, minuteMs);
  tally.add(place, "key_1", "late", "over_1h", 1, minuteMs);
  const { clickhouse } = ingesting.store;
  for (let time = 0; time < 3; time++) await storeOutcomes(clickhouse, tally, 7, 1);
  expect((await health()).total).toMatchObject({ accepted: 2, late: 1, rejected: 0 });
  const texts = { organization: "acme", type: "chat.posted", key: "key_1" };
  const columns: Record<string, string> = { ...texts, time_ms: `${minuteMs - 2 * hourMs}`, received_ms: `${minuteMs}` };
  const line = lineColumns.map((name) => columns[name] ?? "").join("\t");
  recount(tally, line, "rejected", "refused_by_storage");
  await storeOutcomes(clickhouse, tally, 7, 2);
  expect((await health()).total).toMatchObject({ accepted: 1, late: 0, rejected_by: { refused_by_storage: 1 } });
});
