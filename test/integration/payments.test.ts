/** What became of a statement's payment, by the API and by a provider's messages; and when statements close and are measured anew. */
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { system } from "../../server/audit/record-change.ts";
import { adjustStatements } from "../../server/billing/statements/adjust-statements.ts";
import { closeStatements } from "../../server/billing/statements/close-statements.ts";
import type { Statement } from "../../server/contract/statements.ts";
import { createCorrections } from "../../server/corrections/corrections.ts";
import { announcePastChanges } from "../../server/postgres/past-changes.ts";
import { eventCorrections } from "../../server/postgres/schema/corrections.ts";
import { pastChanges } from "../../server/postgres/schema/past-changes.ts";
import { applyMoves } from "../../server/rollups/apply-moves.ts";
import { expireIntervals } from "../../server/rollups/expire-intervals.ts";
import { type Billing, createBilling, perMinute, signedMessage } from "../support/billing.ts";
import { measuredByPlans } from "./measured-by-plans.ts";

let billing: Billing;
let ids: string[];
const seller = "reseller:asked-about-9f3c";
const node = "organization:inside-9f3c";

beforeAll(async () => {
  billing = await createBilling();
  const terms = perMinute("EUR", { organization: "1" }, { fixed_fee: { organization: "30" } });
  const plan = await billing.plan(seller, terms);
  const when = { starts_at: "2026-01-01T00:00:00Z", expires_at: "2026-07-01T00:00:00Z", renews: false };
  await billing.subscribe(node, plan, when);
  const fee = await billing.plan("partner:above-9f3c", { currency: "EUR", fixed_fee: { reseller: "5" } });
  await billing.subscribe(seller, fee, when);
  await billing.run("2026-08-02T00:00:00Z");
  const { statements } = await billing.get(`/v1/statements?node=${node}`);
  ids = statements.map(({ id }: { id: string }) => id);
});
afterAll(() => billing.world.close());

const set = (id: string | undefined, body: object, headers: Record<string, string> = {}) =>
  billing.world.ask("POST", `/v1/statements/${id}/payment`, { key: billing.key, body, headers });
const postMessage = (data: object, options?: Parameters<typeof signedMessage>[1]) =>
  billing.world.ask("POST", "/v1/payment-messages", signedMessage({ type: "statement.payment", data }, options));

test("a payment goes from status to status as such things go, all of it is kept, and it is in the audit", async () => {
  const [id] = ids;
  const paid = await set(id, { status: "paid", at: "2026-07-20T12:00:00+02:00", reference: "INV-1" });
  expect([paid.status, paid.body.payment]).toEqual([200, { status: "paid", at: "2026-07-20T10:00:00.000Z" }]);
  expect((await set(id, { status: "void" })).body).toMatchObject({ code: "conflict", field: "status" });
  expect((await set(id, { status: "refunded", reason: "an outage" })).status).toBe(200);
  expect((await set(id, { status: "open" })).status).toBe(409);
  expect((await set(id, { status: "paid", at: "2100-01-01T00:00:00Z" })).body.field).toBe("at");
  const { payments, total } = await billing.get(`/v1/statements/${id}`);
  expect(payments.map((one: { status: string; reason: string | null }) => [one.status, one.reason])).toEqual([
    ["refunded", "an outage"],
    ["paid", null],
  ]);
  expect(total).toBe("30.00");
  const { entries } = await billing.get(`/v1/audit?subject=${id}`);
  expect(entries.map((one: { action: string; after: { status: string } }) => [one.action, one.after.status])).toEqual([
    ["statement.payment_set", "refunded"],
    ["statement.payment_set", "paid"],
  ]);
  const { statements } = await billing.get(`/v1/statements?node=${node}&status=refunded`);
  expect(statements.map((one: { id: string }) => one.id)).toEqual([id]);
});

test("a change made since the reading is not overwritten", async () => {
  const id = ids[1];
  const { headers } = await billing.world.ask("GET", `/v1/statements/${id}`, { key: billing.key });
  const match = { "if-match": headers.get("etag") ?? "" };
  expect((await set(id, { status: "failed" }, match)).status).toBe(200);
  expect((await set(id, { status: "paid" }, match)).status).toBe(412);
});

test("a message of a time that lies ahead is refused, and one that was taken once holds off nothing that follows", async () => {
  const id = ids[5];
  const ahead = await postMessage({ statement: id, status: "paid", at: "2099-01-01T00:00:00Z" });
  expect([ahead.status, ahead.body.field]).toEqual([400, "data.at"]);
  // As it would stand where it was taken before.
  expect((await postMessage({ statement: id, status: "paid" })).body.status).toBe("paid");
  await billing.world.deps.postgres.pool.query(
    "UPDATE statement_payments SET at = '2099-01-01' WHERE statement_id = $1",
    [id],
  );
  const soon = new Date(Date.now() + 1_000).toISOString();
  expect((await postMessage({ statement: id, status: "refunded", at: soon })).body.status).toBe("refunded");
});

test("the payer does not set what is paid, and the statements in a summary are paid with it", async () => {
  const own = (await billing.world.makeKey(["read", "admin"], node)).key;
  const path = `/v1/statements/${ids[1]}/payment`;
  expect((await billing.world.ask("POST", path, { key: own, body: { status: "paid" } })).status).toBe(403);
  const { statements } = await billing.get(`/v1/statements?node=${seller}`);
  const ofSeller = statements.filter((one: { node: string }) => one.node === seller);
  const fee = ofSeller.find(({ kind }: { kind: string }) => kind === "subscription");
  expect((await set(fee.id, { status: "paid" })).status).toBe(409);
  const summary = ofSeller.find(({ id }: { id: string }) => id === fee.summary);
  expect((await set(summary.id, { status: "paid" })).body.payment.status).toBe("paid");
});

test("a provider's message is taken once, whatever comes again and in whatever order", async () => {
  const statement = ids[2];
  const [early, late] = [{ at: "2026-07-10T00:00:00Z" }, { at: "2026-07-11T00:00:00Z" }];
  const first = await postMessage({ statement, status: "paid", ...late }, { id: "msg_1" });
  expect([first.status, first.body]).toEqual([200, { statement, status: "paid", duplicate: false }]);
  const again = await postMessage({ statement, status: "refunded", ...late }, { id: "msg_1" });
  expect(again.body).toEqual({ statement, status: "paid", duplicate: true });
  const older = await postMessage({ statement, status: "failed", ...early }, { id: "msg_2" });
  expect(older.body).toEqual({ statement, status: "paid", duplicate: false });
  const { payments } = await billing.get(`/v1/statements/${statement}`);
  expect(payments).toHaveLength(2);
  // It cannot follow yet: the provider sends it again later.
  expect((await postMessage({ statement: ids[3], status: "refunded" }, { id: "msg_3" })).status).toBe(409);
  expect((await postMessage({ statement: ids[3], status: "paid", at: "2026-07-11T00:00:00Z" })).status).toBe(200);
  expect((await postMessage({ statement: ids[3], status: "refunded" }, { id: "msg_3" })).body.status).toBe("refunded");
});

test("a message that is not signed, too old or not understood changes nothing", async () => {
  const data = { statement: ids[4], status: "paid" };
  expect((await postMessage(data, { key: Buffer.alloc(32, 8) })).status).toBe(401);
  expect((await postMessage(data, { atMs: Date.now() - 301_000 })).status).toBe(401);
  const { key } = billing;
  const unsigned = { key, body: { type: "statement.payment", data } };
  expect((await billing.world.ask("POST", "/v1/payment-messages", unsigned)).status).toBe(401);
  expect((await postMessage({ ...data, status: "settled" })).body).toMatchObject({ status: 400, field: "data.status" });
  expect((await postMessage({ statement: "stm_none", status: "paid" })).status).toBe(404);
  const large = signedMessage({ type: "statement.payment", data: { ...data, reason: "x".repeat(70_000) } });
  expect((await billing.world.ask("POST", "/v1/payment-messages", large)).status).toBe(413);
  expect((await billing.get(`/v1/statements/${ids[4]}`)).payment.status).toBe("open");
});

async function newOrganization(organization: string): Promise<{ organization: string; node: string }> {
  await billing.world.deps.tree.ensureOrganizations([organization], seller);
  return { organization, node: `organization:${organization}` };
}

test("a subscription of many years closes some cycles in a run, after everybody else's first, and goes on in the next", async () => {
  const [old, recent] = [await newOrganization("of-years"), await newOrganization("recent")];
  const plan = await billing.plan(seller, { currency: "EUR", fixed_fee: { organization: "1" } });
  await billing.subscribe(old.node, plan, { starts_at: "2012-01-01T00:00:00Z" });
  await billing.subscribe(recent.node, plan, { starts_at: "2024-12-01T00:00:00Z" });
  const closedOf = async (node: string) =>
    (await billing.get(`/v1/statements?node=${node}&kind=subscription&limit=1000`)).statements.length;
  await billing.run("2025-01-03T00:00:00Z");
  expect([await closedOf(old.node), await closedOf(recent.node)]).toEqual([120, 1]);
  await billing.run("2025-01-03T00:00:00Z");
  expect([await closedOf(old.node), await closedOf(recent.node)]).toEqual([156, 1]);
});

test("a late event measures those statements anew that it lies in, not all that followed", async () => {
  const { organization, node } = await newOrganization("late");
  const plan = await billing.plan(seller, perMinute("EUR", { organization: "0.10" }));
  await billing.subscribe(node, plan, { starts_at: "2024-08-01T00:00:00Z" });
  const nowMs = Date.parse("2025-01-03T00:00:00Z");
  await billing.run("2025-01-03T00:00:00Z");
  while ((await adjustStatements(billing.source, nowMs)) > 0);
  await billing.calls([organization, "2024-10-10T00:00:00Z", "20"]);
  expect(await adjustStatements(billing.source, nowMs)).toBe(1);
  const { statements } = await billing.get(`/v1/statements?node=${node}&kind=subscription`);
  const changed = statements.filter((one: Statement) => one.adjusted_total !== one.total);
  expect([statements.length, changed.map((one: Statement) => [one.cycle.start, one.adjusted_total])]).toEqual([
    5,
    [["2024-10-01T00:00:00Z", "2.00"]],
  ]);
});

test("a late start or a void changes what was closed of every cycle that its interval reaches into, with a session and without", async () => {
  const { organization, node } = await newOrganization("over-months");
  const terms = perMinute("EUR", { organization: "0.10" });
  const features = terms.features.map((feature) => ({ ...feature, meter: "recorded_minutes" }));
  const plan = await billing.plan(seller, { ...terms, features });
  await billing.subscribe(node, plan, { starts_at: "2024-08-01T00:00:00Z" });
  const nowMs = Date.parse("2025-01-03T00:00:00Z");
  const of = (type: string, time: string, about: object) => ({ type, time, organization, ...about });
  await billing.send([
    of("recording.stopped", "2024-10-01T02:00:00Z", { interval: "alone" }),
    of("recording.started", "2024-11-30T23:00:00Z", { id: "voided", session: "s", interval: "i" }),
    of("recording.stopped", "2024-12-01T00:30:00Z", { session: "s", interval: "i" }),
  ]);
  await billing.run("2025-01-03T00:00:00Z");
  while ((await adjustStatements(billing.source, nowMs)) > 0);
  await billing.send([of("recording.started", "2024-09-30T23:00:00Z", { interval: "alone" })]);
  const { key, world } = billing;
  const [found] = (await billing.get(`/v1/records?node=${node}&from=2024-11-30&to=2024-12-01`)).records;
  const voided = await world.ask("POST", `/v1/events/${found.id}/void`, {
    key,
    body: { organization, reason: "never was" },
  });
  expect(voided.status).toBe(200);
  while ((await adjustStatements(billing.source, nowMs)) > 0);
  const { statements } = await billing.get(`/v1/statements?node=${node}&kind=subscription`);
  const totals = statements.map((one: Statement) => [one.cycle.start.slice(0, 7), one.total, one.adjusted_total]);
  expect(totals.sort()).toEqual([
    ["2024-08", "0.00", "0.00"],
    ["2024-09", "0.00", "6.00"],
    ["2024-10", "0.00", "12.00"],
    ["2024-11", "6.00", "0.00"],
    ["2024-12", "3.00", "0.00"],
  ]);
});

test("a correction that could not be stored at first adjusts its statement, whatever was stored and looked through meanwhile", async () => {
  const { organization, node } = await newOrganization("late-turn");
  const plan = await billing.plan(seller, perMinute("EUR", { organization: "0.10" }));
  await billing.subscribe(node, plan, { starts_at: "2024-11-01T00:00:00Z" });
  const nowMs = Date.parse("2025-01-03T00:00:00Z");
  await billing.send([
    { id: "interrupted", type: "call.completed", organization, time: "2024-11-10T00:00:00Z", value: "20" },
    { id: "waiting", type: "call.completed", organization, time: "2024-12-10T00:00:00Z", value: "30" },
  ]);
  await billing.run("2025-01-03T00:00:00Z");
  const { ingest, postgres, clickhouse, tree, corrections } = billing.world.deps;
  if (!ingest) throw new Error("the world ingests");
  const lookThrough = async () => {
    while ((await adjustStatements(billing.source, nowMs)) > 0);
  };
  const voided = { timeMs: undefined, changes: undefined, reason: "wrong", by: system };
  const allowed = { mayMoveTo: () => undefined, mayChange: () => undefined, check: () => undefined };
  const asked = (id: string) => ({ organization, id, ...voided, ...allowed });
  // Its process gave it a number and ended; others store and are looked through.
  const elsewhere = createCorrections({ postgres, clickhouse, tree, ingest: undefined, patienceMs: 0 });
  const { id } = await elsewhere.correct(asked("interrupted"));
  const voidBatch = ingest.sequence.next();
  await postgres.db.update(eventCorrections).set({ voidBatch }).where(eq(eventCorrections.id, id));
  await billing.calls(["inside-9f3c", "2026-08-01T00:00:00Z", "1"]);
  await lookThrough();
  await corrections.applyPending();
  // Another waits for its turn while others store: its number is given in the turn.
  let before = 0;
  const exclusive: typeof ingest.flush.exclusive = async (work) => {
    before = ingest.sequence.next();
    await billing.calls(["inside-9f3c", "2026-08-01T00:00:00Z", "1"]);
    await lookThrough();
    await ingest.flush.exclusive(work);
  };
  const whenStored = (position: Parameters<typeof ingest.flush.whenStored>[0]) => ingest.flush.whenStored(position);
  const waiting = createCorrections({
    postgres,
    clickhouse,
    tree,
    ingest: { ...ingest, flush: { exclusive, whenStored, settledBatch: 0 } },
  });
  expect((await waiting.correct(asked("waiting"))).voidBatch).toBeGreaterThan(before);
  // A crash before it was noted as applied: again, and the same.
  await postgres.db.update(eventCorrections).set({ appliedAt: null }).where(eq(eventCorrections.id, id));
  await corrections.applyPending();
  await lookThrough();
  const { statements } = await billing.get(`/v1/statements?node=${node}&kind=subscription`);
  expect(statements.map((one: Statement) => [one.total, one.adjusted_total]).sort()).toEqual([
    ["2.00", "0.00"],
    ["3.00", "0.00"],
  ]);
});

test("what times out after the closing, moves back in time, or is measured by a new version, is an adjustment", async () => {
  const { world, key } = billing;
  const { ingest, postgres, clickhouse, tree } = world.deps;
  if (!ingest) throw new Error("the world ingests");
  const [giver, taker] = ["reseller:giver", "reseller:taker"];
  for (const id of ["giver", "taker"])
    await tree.createNode({ kind: "reseller", id, name: id, parent: "partner:above-9f3c" });
  await tree.ensureOrganizations(["given"], giver);
  const node = "organization:given";
  const { source } = billing;
  const meter = { meter: "own_calls", node: "partner:above-9f3c", title: "Calls", unit: "minutes" };
  const measured = (aggregation: string) => ({ types: ["call.completed"], aggregation, value: "value" });
  const made = await world.ask("POST", "/v1/meters", { key, body: { ...meter, events: measured("sum") } });
  expect(made.status).toBe(201);
  const planOf = (level: string, name: string) => {
    const terms = perMinute("EUR", { [level]: "0.10" });
    const features = terms.features.map((feature) => ({ ...feature, meter: name }));
    return billing.plan("partner:above-9f3c", { ...terms, features });
  };
  const starts_at = new Date(Date.now() - 100 * 86_400_000).toISOString();
  await billing.subscribe(node, await planOf("organization", "participation_minutes"), { starts_at });
  for (const one of [giver, taker]) await billing.subscribe(one, await planOf("reseller", "own_calls"), { starts_at });
  const at = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString();
  const silent = { session: "silent", user: "u", properties: { alive_within: 366 * 86_400 } };
  await billing.send([
    { type: "call.completed", organization: "given", time: at(90), value: "20" },
    { type: "participant.joined", organization: "given", time: at(90), ...silent },
  ]);
  const nowMs = Date.now();
  const run = async () => {
    while ((await adjustStatements(source, nowMs)) > 0);
  };
  await run();
  await closeStatements(source, nowMs);
  const totals = async (of: string) => {
    const answer = await billing.get(`/v1/statements?node=${of}&kind=subscription`);
    const statements = answer.statements.filter((one: Statement) => one.node === of);
    const sum = (amounts: string[]) => amounts.reduce((all, one) => all + Number(one), 0);
    return [
      sum(statements.map((one: Statement) => one.total)),
      sum(statements.map((one: Statement) => one.adjusted_total)),
    ];
  };
  const [open] = await totals(node);
  expect(open).toBeGreaterThan(1_000);
  expect([await totals(giver), await totals(taker)]).toEqual([
    [2, 2],
    [0, 0],
  ]);

  const { materializer, sequence, flush } = ingest;
  const [laterMs, notes] = [nowMs + 300 * 86_400_000, { postgres, tree }];
  // What was announced and not derived is neither measured too early, nor announced by each run that fails, nor forgotten.
  const away = () => Promise.reject(new Error("the store is away"));
  const failing = async () => {
    await expect(expireIntervals(clickhouse, away, sequence, laterMs, notes)).rejects.toThrow("away");
    return await postgres.db.$count(pastChanges);
  };
  expect(await failing()).toBe(await failing());
  await run();
  expect(await totals(node)).toEqual([open, open]);
  // Nor is what a process announced that ended before it could confirm it.
  const ofAnother = [{ node, fromMs: nowMs, toMs: null }];
  await postgres.transaction((tx) => announcePastChanges(tx, "expiry:of another process", ofAnother));
  await expireIntervals(clickhouse, materializer.derive, sequence, laterMs, notes);
  await run();
  expect(await totals(node)).toEqual([open, 0]);

  const body = { parent: taker, effective_from: at(95) };
  expect((await world.ask("PATCH", `/v1/nodes/${node}`, { key, body })).status).toBe(200);
  const flushAhead = { exclusive: flush.exclusive.bind(flush), watermark: () => new Date(Date.now() + 60_000) };
  await applyMoves({ clickhouse, postgres, tree, materializer, sequence, flush: flushAhead });
  await run();
  expect([await totals(giver), await totals(taker)]).toEqual([
    [2, 0],
    [0, 2],
  ]);

  const version = { title: meter.title, unit: meter.unit, events: measured("count"), effective_from: at(100) };
  const path = `/v1/meters/own_calls?node=${meter.node}`;
  expect((await world.ask("PATCH", path, { key, body: version })).status).toBe(200);
  // Until every process knows it, nothing is measured by it.
  await postgres.db
    .update(pastChanges)
    .set({ visibleAt: new Date(0) })
    .where(eq(pastChanges.meter, "own_calls"));
  await run();
  expect(await totals(taker)).toEqual([0, 0.1]);
  expect(await postgres.db.select().from(pastChanges)).toEqual([]);
});

test("what comes late of a job, or of a level by value, adjusts what it changes elsewhere, of who has the organization by then too", async () => {
  const { world, key } = billing;
  const { ingest, postgres, clickhouse, tree } = world.deps;
  if (!ingest) throw new Error("the world ingests");
  const [lender, borrower, node] = ["reseller:lender", "reseller:borrower", "organization:lent"];
  for (const id of ["lender", "borrower"])
    await tree.createNode({ kind: "reseller", id, name: id, parent: "partner:above-9f3c" });
  await tree.ensureOrganizations(["lent"], lender);
  const body = { parent: borrower, effective_from: "2024-12-01T00:00:00Z" };
  expect((await world.ask("PATCH", `/v1/nodes/${node}`, { key, body })).status).toBe(200);
  const { materializer, sequence, flush } = ingest;
  const flushAhead = { exclusive: flush.exclusive.bind(flush), watermark: () => new Date(Date.now() + 60_000) };
  await applyMoves({ clickhouse, postgres, tree, materializer, sequence, flush: flushAhead });
  const planOf = (level: string, name: string) => {
    const terms = perMinute("EUR", { [level]: "0.10" });
    const features = terms.features.map((feature) => ({ ...feature, meter: name }));
    return billing.plan("partner:above-9f3c", { ...terms, features });
  };
  const starts_at = "2024-11-01T00:00:00Z";
  await billing.subscribe(node, await planOf("organization", "job_turnaround"), { starts_at });
  await billing.subscribe(borrower, await planOf("reseller", "recording_storage"), { starts_at });
  const said = (type: string, time: string, about: object) => ({ type, organization: "lent", time, ...about });
  await billing.send([
    said("transcription.requested", "2024-11-10T00:00:00Z", { job: "j" }),
    said("transcription.completed", "2024-11-10T00:10:00Z", { job: "j" }),
  ]);
  const nowMs = Date.parse("2025-01-03T00:00:00Z");
  const run = async () => {
    while ((await adjustStatements(billing.source, nowMs)) > 0);
  };
  await billing.run("2025-01-03T00:00:00Z");
  await run();
  await billing.send([
    said("recording.stored", "2024-11-05T00:00:00Z", { value: "50" }),
    said("transcription.completed", "2024-12-05T00:00:00Z", { job: "j" }),
  ]);
  await run();
  const totals = async (of: string) => {
    const { statements } = await billing.get(`/v1/statements?node=${of}&kind=subscription`);
    const own = statements.filter((one: Statement) => one.node === of);
    return own.map((one: Statement) => [one.cycle.start.slice(0, 7), one.total, one.adjusted_total]).sort();
  };
  expect(await totals(node)).toEqual([
    ["2024-11", "60.00", "0.00"],
    ["2024-12", "0.00", "216000.00"],
  ]);
  expect((await totals(borrower)).at(-1)).toEqual(["2024-12", "0.00", "5.00"]);
});

measuredByPlans(() => billing);
