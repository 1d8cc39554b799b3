/** The past of what moved belongs to who had it then: it is changed by nobody who had no right at it then, and not unseen. */
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { nodeParents } from "../../../server/postgres/schema/accounts.ts";
import { alerts } from "../../../server/postgres/schema/alerts.ts";
import { eventCorrections } from "../../../server/postgres/schema/corrections.ts";
import { statements } from "../../../server/postgres/schema/statements.ts";
import { createRun } from "../../../server/reports/runs.ts";
import {
  askedAbout,
  createWorld,
  inside,
  pastOwner,
  pastOwnerUntil,
  type World,
} from "../../support/isolation-world.ts";
import { closedStatement, formerAlert } from "./former-records.ts";

let world: World;
/** Keys of the node where `inside` stands now, of the one where it stood, and of the partner above both. */
let newcomer: string;
let former: string;
let above: string;
const organization = inside.slice("organization:".length);

beforeAll(async () => {
  world = await createWorld();
  const keyOf = async (node: string) => (await world.makeKey(["ingest", "read", "admin"], node)).key;
  newcomer = await keyOf(askedAbout);
  former = await keyOf(pastOwner);
  above = await keyOf("partner:above-9f3c");
  const { key } = await world.makeKey(["ingest"], "all");
  const join = { type: "participant.joined", session: "long", user: "u1" };
  const events = [
    { id: "theirs", type: "chat.posted", time: "2025-03-01T09:00:00Z" },
    { id: "theirs too", type: "chat.posted", time: "2025-03-02T09:00:00Z" },
    { id: "ours", type: "chat.posted", time: "2025-09-01T09:00:00Z" },
    { id: "ours too", type: "chat.posted", time: "2025-09-02T09:00:00Z" },
    { ...join, id: "began theirs", time: "2025-05-31T23:00:00Z" },
    { ...join, id: "ended ours", type: "participant.left", time: "2025-06-01T01:00:00Z" },
    { id: "of a2", type: "chat.posted", agent: "a2", time: "2025-10-01T09:00:00Z" },
  ];
  const body = events.map((event) => ({ organization, ...event }));
  expect((await world.ask("POST", "/v1/events?ack=stored", { key, body })).body).toMatchObject({ rejected: [] });
});
afterAll(() => world.close());

const move = (key: string, body: object, node = inside) => world.ask("PATCH", `/v1/nodes/${node}`, { key, body });
const correct = (key: string, id: string, changes?: object) =>
  world.ask("POST", `/v1/events/${encodeURIComponent(id)}/${changes ? "amend" : "void"}`, {
    key,
    body: { organization, reason: "wrong", ...(changes && { changes }) },
  });
const postsOf = async (node: string, key: string) => {
  const { body } = await world.ask("GET", `/v1/usage?meter=chat_posts&node=${node}&from=2025-01-01&to=2025-12-31`, {
    key,
  });
  return body.meters[0].total;
};
const audit = async (key: string, query: string) =>
  (await world.ask("GET", `/v1/audit?${query}`, { key })).body.entries;

test("a move back in time is refused to who did not have the node then, and is in the audit of all who lose or gain", async () => {
  const back = { parent: askedAbout, effective_from: "2000-01-01T00:00:00Z" };
  const refused = await move(newcomer, back);
  expect([refused.status, refused.body.field]).toEqual([403, "effective_from"]);
  expect(JSON.stringify(refused.body)).not.toContain("former");
  expect((await move(newcomer, { ...back, effective_from: "2025-05-31T23:59:59.999Z" })).status).toBe(403);
  expect([await postsOf(pastOwner, former), await postsOf(askedAbout, newcomer)]).toEqual([2, 3]);
  expect((await move(newcomer, { ...back, effective_from: pastOwnerUntil.toISOString() })).status).toBe(200);
  // Who stood above both all the time may.
  const later = { parent: askedAbout, effective_from: "2025-05-31T23:30:00Z" };
  expect((await move(above, later)).status).toBe(200);
  const [seen] = await audit(former, `subject=${inside}&action=node.moved`);
  expect(seen).toMatchObject({
    actor: { kind: "key" },
    after: { parent: null, parentFrom: "2025-05-31T23:30:00.000Z" },
  });
  expect(JSON.stringify(seen)).not.toContain(askedAbout);
  for (const key of [newcomer, above]) expect(await audit(key, `subject=${inside}&action=node.moved`)).not.toEqual([]);
  expect((await move(above, { ...later, effective_from: pastOwnerUntil.toISOString() })).status).toBe(200);
});

test("a move planned by another is not replaced by someone who does not have the node then", async () => {
  const own = "organization:planned-9f3c";
  await world.deps.tree.createNode({ kind: "organization", id: "planned-9f3c", name: "P", parent: askedAbout });
  const soon = new Date(Date.now() + 3_600_000).toISOString();
  expect((await move(above, { parent: pastOwner, effective_from: soon }, own)).status).toBe(200);
  const kept = await move(newcomer, { parent: askedAbout, effective_from: new Date().toISOString() }, own);
  expect([kept.status, kept.body.field]).toEqual([403, "parent"]);
});

test("an event of the former era is corrected by who had it then alone, and the former owner has it in the audit", async () => {
  for (const refused of [await correct(newcomer, "theirs"), await correct(newcomer, "theirs", { user: "u9" })])
    expect([refused.status, refused.body.code]).toEqual([403, "forbidden"]);
  const moved = await correct(newcomer, "ours", { time: "2025-03-05T09:00:00Z" });
  expect([moved.status, moved.body.field]).toEqual([403, "changes.time"]);
  // Without its end the session would have ended at its last sign of life, which was the former owner's.
  expect((await correct(newcomer, "ended ours")).status).toBe(403);
  expect((await correct(former, "theirs")).status).toBe(403);
  expect(await postsOf(pastOwner, former)).toBe(2);
  expect((await correct(newcomer, "ours")).status).toBe(200);
  expect((await correct(above, "theirs")).status).toBe(200);
  expect(await postsOf(pastOwner, former)).toBe(1);
  expect(await audit(former, "action=event")).toMatchObject([{ action: "event.voided", subject: "theirs" }]);
  expect(await audit(newcomer, "action=event.voided&subject=ours")).toHaveLength(1);
});

test("a correction is refused on what was changed meanwhile", async () => {
  const path = `/v1/events/${encodeURIComponent("ours too")}`;
  const { headers } = await world.ask("GET", `${path}?organization=${organization}`, { key: newcomer });
  const match = { "if-match": headers.get("etag") ?? "" };
  const body = { organization, reason: "wrong", changes: { user: "u1" } };
  expect((await world.ask("POST", `${path}/amend`, { key: newcomer, headers: match, body })).status).toBe(200);
  const stale = { ...body, changes: { user: "u2" } };
  expect((await world.ask("POST", `${path}/amend`, { key: newcomer, headers: match, body: stale })).status).toBe(412);
});

test("a subscription begins, ends and is on trial back in time by who had the node then alone", async () => {
  const { body: plan } = await world.ask("POST", "/v1/plans", {
    key: above,
    body: { name: "P", node: "partner:above-9f3c", offered: true, currency: "EUR", fixed_fee: { organization: "10" } },
  });
  await world.ask("POST", `/v1/plans/${plan.id}/publish`, { key: above });
  const subscribe = (key: string, starts_at: string) =>
    world.ask("POST", "/v1/subscriptions", { key, body: { node: inside, plan: plan.id, starts_at } });
  const early = await subscribe(newcomer, "2025-05-01T00:00:00Z");
  expect([early.status, early.body.field]).toEqual([403, "starts_at"]);
  const { status, body, headers } = await subscribe(above, "2025-04-01T00:00:00Z");
  expect(status).toBe(201);
  expect(await audit(former, `subject=${body.id}`)).toMatchObject([{ action: "subscription.created" }]);
  const path = `/v1/subscriptions/${body.id}`;
  for (const [change, field] of [
    [{ trial_ends_at: "2025-05-01T00:00:00Z" }, "trial_ends_at"],
    [{ trial_ends_at: "2025-08-01T00:00:00Z" }, "trial_ends_at"],
    [{ expires_at: "2025-05-01T00:00:00Z", renews: false }, "expires_at"],
  ] as const) {
    const refused = await world.ask("PATCH", path, { key: newcomer, body: change });
    expect([refused.status, refused.body.field]).toEqual([403, field]);
  }
  const match = { "if-match": headers.get("etag") ?? "" };
  const ended = { expires_at: "2025-09-01T00:00:00Z", renews: false };
  expect((await world.ask("PATCH", path, { key: newcomer, headers: match, body: ended })).status).toBe(200);
  expect((await world.ask("PATCH", path, { key: newcomer, headers: match, body: ended })).status).toBe(412);
});

test("a day on which a node moved counts for its new owner from the move on", async () => {
  const id = "moved-today-9f3c";
  await world.deps.tree.createNode({ kind: "organization", id, name: id, parent: pastOwner });
  expect((await move(above, { parent: askedAbout }, `organization:${id}`)).status).toBe(200);
  const since = world.deps.tree.placements(`organization:${id}`).at(-1)?.from;
  const { body: plan } = await world.ask("POST", "/v1/plans", { key: newcomer, body: { name: "P", currency: "EUR" } });
  await world.ask("POST", `/v1/plans/${plan.id}/publish`, { key: newcomer });
  const wanted = { node: `organization:${id}`, plan: plan.id };
  const made = await world.ask("POST", "/v1/subscriptions", { key: newcomer, body: wanted });
  expect([made.status, new Date(made.body.starts_at)]).toEqual([201, since]);
});

test("without the right to send events nobody replays one from quarantine, nor sends into another's organization", async () => {
  const manager = world.callers.get("with the role manager");
  const time = "2025-02-01T09:00:00Z";
  const { key } = await world.makeKey(["ingest"]);
  const rejected = { id: "wait", type: "chat.posted", organization, agent: "a2", time };
  const taken = { id: "now", type: "chat.posted", organization };
  const ofAgent = await world.makeKey(["ingest"], `agent:${organization}/a1`);
  await world.ask("POST", "/v1/events", { key: ofAgent.key, body: [rejected] });
  await world.ask("POST", "/v1/events?ack=stored", { key, body: [taken] });
  const { events } = (await world.ask("GET", `/v1/quarantine?node=${inside}`, { key: newcomer })).body;
  const path = `/v1/quarantine/${events[0].id}/replay`;
  const other = { id: "made up", type: "chat.posted", organization };
  const refused = await world.ask("POST", path, { ...manager, body: { event: other } });
  expect([refused.status, refused.body.field]).toEqual([403, "event"]);
  const before = await postsOf(pastOwner, former);
  expect((await world.ask("POST", path, { ...manager, body: {} })).body).toMatchObject({
    outcome: "rejected",
    code: "outside_subtree",
    field: "time",
  });
  expect(await postsOf(pastOwner, former)).toBe(before);
  // A late event of an emitter is an event.
  const fixed = { ...rejected, user: "u1" };
  const late = await world.ask("POST", path, { key: newcomer, body: { event: fixed } });
  expect(late.body).toMatchObject({ outcome: "accepted" });
});

test("an event that is replayed has the times that taking it would give it: of its id, of a CloudEvent's data, of its session", async () => {
  const manager = world.callers.get("with the role manager");
  const ofAgent = await world.makeKey(["ingest"], `agent:${organization}/a1`);
  const then = Date.parse("2025-02-01T09:00:00Z").toString(16).padStart(12, "0");
  const base = { type: "chat.posted", organization, agent: "a2" };
  const theirs = [
    { ...base, id: `${then.slice(0, 8)}-${then.slice(8)}-7000-8000-000000000000` },
    { ...base, id: "leap", time: "2025-05-30T23:59:60Z" },
    { ...base, id: "left", type: "participant.left", session: "long", user: "u1" },
  ];
  const ours = { ...base, id: "of now" };
  const cloudEvent = {
    specversion: "1.0",
    id: "cloud then",
    source: "/s",
    type: "chat.posted",
    data: { organization, agent: "a2", started_at: "2025-02-01T09:00:00Z" },
  };
  const ids = [...theirs, cloudEvent, ours].map(({ id }) => id);
  const { key } = ofAgent;
  await world.ask("POST", "/v1/events", {
    key,
    headers: { "content-type": "application/cloudevents+json" },
    body: cloudEvent,
  });
  const own = { type: "chat.posted", organization, agent: "a1", id: "stored after" };
  await world.ask("POST", "/v1/events?ack=stored", { key, body: [...theirs, ours, own] });
  const { events } = (await world.ask("GET", `/v1/quarantine?node=${inside}`, { key: newcomer })).body;
  const outcomes = new Map<string, string>();
  for (const { id, event_id } of events.filter((one: { event_id: string }) => ids.includes(one.event_id))) {
    const { body } = await world.ask("POST", `/v1/quarantine/${id}/replay`, { ...manager, body: {} });
    outcomes.set(event_id, `${body.outcome} ${body.field}`);
  }
  const refused = [...theirs, cloudEvent].map(({ id }) => [id, "rejected time"] as const);
  expect(outcomes).toEqual(new Map([...refused, ["of now", "accepted null"]]));
});

test("who worked for the former owner, and by which rules and reports, is hidden from everybody who came later", async () => {
  const { db } = world.deps.postgres;
  const then = new Date("2025-03-01T09:00:00Z");
  const boss = "boss@former-7c1e.example";
  await db.insert(alerts).values(formerAlert(then, boss));
  const about = { node: inside, fromMs: 0, toMs: then.getTime(), tz: "UTC", kind: "usage" as const, options: {} };
  const asked = { reportNode: pastOwner, formats: ["csv" as const], requestedBy: { id: "usr_7c1e", name: boss } };
  const own = { report: "rpt_7c1e", name: "Report 7c1e", keptDays: 10_000 };
  await createRun(db, { ...about, ...asked, ...own }, then.getTime());
  const answers = async (key: string) => {
    const paths = ["alerts", "alerts/alr_former", "report-runs"].map((path) => `/v1/${path}?node=${inside}`);
    paths[1] = "/v1/alerts/alr_former";
    const found = [];
    for (const path of paths) found.push((await world.ask("GET", path, { key })).body);
    return JSON.stringify(found);
  };
  const [seen, whole] = [await answers(newcomer), await answers(above)];
  expect(seen).toContain("alr_former");
  expect(seen).toContain("somebody else");
  expect(seen).not.toContain("7c1e");
  for (const word of [boss, "rul_7c1e", "Rule 7c1e", "Report 7c1e"]) expect(whole).toContain(word);
  const first = await correct(above, "theirs too");
  await db
    .update(eventCorrections)
    .set({ at: then, reason: "Reason 7c1e", actorId: "usr_7c1e", actorName: boss })
    .where(eq(eventCorrections.eventId, "theirs too"));
  const again = await correct(newcomer, "theirs too");
  expect([again.status, again.body]).toMatchObject([
    200,
    { correction: first.body.correction, reason: "", actor: { id: "", name: "somebody else" } },
  ]);
  expect((await correct(above, "theirs too")).body).toMatchObject({ reason: "Reason 7c1e", actor: { name: boss } });
});

test("an agent's key sees corrections of its own events alone, and a node the number of its own events", async () => {
  const { key } = await world.makeKey(["read"], `agent:${organization}/a1`);
  const voided = await correct(newcomer, "of a2");
  expect(voided.status).toBe(200);
  const query = "meter=chat_posts&from=2025-01-01&to=2025-12-31";
  const correctionsFor = async (asker: string, node: string) =>
    (await world.ask("GET", `/v1/explain?${query}&node=${node}`, { key: asker })).body.corrections;
  expect(await correctionsFor(key, `agent:${organization}/a1`)).toEqual([]);
  expect((await correctionsFor(newcomer, `agent:${organization}/a2`)).length).toBe(1);
  const { clickhouse } = world.deps;
  await clickhouse.command(`INSERT INTO freshness_samples (at, lag_ms, weights) VALUES (now64(3), [5], [4711])`, {});
  const { freshness } = (await world.ask("GET", "/v1/ingest-health", { key: former })).body;
  expect(freshness).toBeNull();
});

test("what an event says of later times is theirs who had the organization then: a level, a job, what is still open", async () => {
  const id = "came-back-9f3c";
  const node = `organization:${id}`;
  const ago = (days: number) => new Date(Date.now() - days * 86_400_000);
  await world.deps.tree.createNode({ kind: "organization", id, name: id, parent: pastOwner });
  await world.deps.tree.change(async (tx) => {
    await tx.insert(nodeParents).values([
      { node, parent: askedAbout, validFrom: ago(20) },
      { node, parent: pastOwner, validFrom: ago(10) },
    ]);
    return { changed: [node], result: undefined };
  });
  const { body: meter } = await world.ask("POST", "/v1/meters", {
    key: newcomer,
    body: {
      meter: "seats",
      node: askedAbout,
      title: "Seats",
      unit: "seats",
      events: { types: ["seat.added"], aggregation: "level", value: "value" },
    },
  });
  expect(meter).toMatchObject({ meter: "seats" });
  const then = { organization: id, time: ago(30).toISOString() };
  const body = [
    { ...then, id: "stored", type: "recording.stored", value: 600 },
    { ...then, id: "seat", type: "seat.added", value: 2 },
    {
      ...then,
      id: "open",
      type: "participant.joined",
      session: "s",
      user: "u",
      properties: { alive_within: 5_184_000 },
    },
    { ...then, id: "requested", type: "transcription.requested", job: "j" },
    { ...then, id: "completed", type: "transcription.completed", job: "j", time: ago(15).toISOString() },
    { ...then, id: "ended", type: "participant.joined", session: "over", user: "u" },
    { ...then, id: "end", type: "participant.left", session: "over", user: "u", time: ago(29).toISOString() },
    { ...then, id: "plain", type: "chat.posted" },
  ];
  const { key } = await world.makeKey(["ingest"], "all");
  expect((await world.ask("POST", "/v1/events?ack=stored", { key, body })).body).toMatchObject({ rejected: [] });
  const voiding = async (by: string, event: string) =>
    (await world.ask("POST", `/v1/events/${event}/void`, { key: by, body: { organization: id, reason: "wrong" } }))
      .status;
  for (const event of ["stored", "seat", "open", "requested"])
    expect([event, await voiding(former, event)]).toEqual([event, 403]);
  for (const event of ["plain", "ended"]) expect([event, await voiding(former, event)]).toEqual([event, 200]);
  for (const event of ["stored", "requested"]) {
    expect(await voiding(above, event)).toBe(200);
    expect(await audit(newcomer, `action=event.voided&subject=${event}`)).toHaveLength(1);
  }
});

test("a report shows a later owner what its own lists do, and one that was made for others is not theirs to open", async () => {
  const { db } = world.deps.postgres;
  const parts = [
    {
      id: "stm_theirs",
      parent: pastOwner,
      from: new Date("2025-02-01T00:00:00Z"),
      to: new Date("2025-03-01T00:00:00Z"),
    },
    {
      id: "stm_ours",
      parent: askedAbout,
      from: new Date("2025-09-01T00:00:00Z"),
      to: new Date("2025-10-01T00:00:00Z"),
    },
  ];
  for (const { id, parent, from, to } of parts)
    await db.insert(statements).values(closedStatement(id, parent, from, to));
  const about = { report: "billing", node: inside, from: "2025-01-01", to: "2026-01-01" };
  const own = (await world.makeKey(["read", "admin"], inside)).key;
  for (const [key, ids] of [
    [newcomer, ["stm_ours"]],
    [above, ["stm_ours", "stm_theirs"]],
    [own, ["stm_ours", "stm_theirs"]],
  ] as const) {
    const listed = await world.ask("GET", `/v1/statements?node=${inside}&from=2025-01-01&to=2026-01-01`, { key });
    expect(listed.body.statements.map(({ id }: { id: string }) => id)).toEqual(ids);
    const { body } = await world.ask("POST", "/v1/reports/preview", { key, body: about });
    const seen = body.sections.find(({ id }: { id: string }) => id === "statements");
    expect(seen.rows.map(([id]: string[]) => id)).toEqual(ids);
  }
  for (const report of ["billing", "financial", "audit"]) {
    const body = { ...about, report, to: "2025-06-01" };
    const before = await world.ask("POST", "/v1/reports/preview", { key: newcomer, body });
    expect([report, before.status]).toEqual([report, 200]);
    expect(before.body.sections.flatMap(({ rows }: { rows: unknown[] }) => rows)).toEqual([]);
  }
  const [fromMs, toMs] = [Date.parse(about.from), Date.parse(about.to)];
  const asked = {
    kind: "billing" as const,
    options: {},
    reportNode: null,
    formats: ["csv" as const],
    keptDays: 10_000,
  };
  const boss = { id: "usr_7c1e", name: "boss" };
  const whole = { report: "billing", name: "Billing", node: inside, fromMs, toMs, tz: "UTC", requestedBy: boss };
  const made = await createRun(db, { ...asked, ...whole }, toMs);
  const mine = await world.ask("POST", "/v1/report-runs", { key: newcomer, body: { ...about, formats: ["json"] } });
  const seen = async (key: string) => {
    const open = async (id: string) => (await world.ask("GET", `/v1/report-runs/${id}`, { key })).status;
    const { runs } = (await world.ask("GET", `/v1/report-runs?node=${inside}&report=billing`, { key })).body;
    const listed = runs.map(({ id }: { id: string }) => id);
    return [made.id, mine.body.id].map((id) => [listed.includes(id), open(id)] as const);
  };
  for (const [key, statuses] of [
    [newcomer, [404, 200]],
    [above, [200, 200]],
    [own, [200, 200]],
  ] as const)
    for (const [place, [isListed, opened]] of (await seen(key)).entries())
      expect([isListed, await opened]).toEqual([statuses[place] === 200, statuses[place]]);
});
