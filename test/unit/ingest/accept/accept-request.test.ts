/** From headers and bytes to verdicts and log lines, with a real log. */
import { expect, test, vi } from "vitest";
import type { Decision } from "../../../../server/ingest/accept/accept-events.ts";
import { acceptRequest } from "../../../../server/ingest/accept/accept-request.ts";
import { hashText, identityOf } from "../../../../server/ingest/accept/event-hash.ts";
import { LogFullError } from "../../../../server/ingest/log/log-errors.ts";
import { rootKey, startAccepting } from "../../../support/accepting.ts";
import { patienceMs } from "../../../support/patience.ts";
import { posting, streamOf } from "../../../support/posting.ts";

const nowMs = Date.UTC(2026, 10, 21, 9);
const world = posting(nowMs);
const { event, post, refusal } = world;

test("one event becomes one line with every column in its place", async () => {
  const sent = {
    id: "e-1",
    type: "participant.joined",
    time: "2026-11-21T09:30:00.2509+01:00",
    organization: "acme",
    agent: "a1",
    user: "u\t7",
    session: "s9",
    room: "daily",
    interval: "c1",
    started_at: "2026-11-21T08:00:00Z",
    job: "j5",
    value: "12.50",
    properties: { model: "standard", alive_within: "30.5", language: 'e"n', "2": 1, b: true },
  };
  expect(await post(sent)).toMatchObject({ accepted: 1, duplicates: 0, rejected: [], warnings: [] });
  const [line] = await world.accepting.loggedEvents();
  expect(line).toEqual({
    checked: "1",
    organization: "acme",
    id: "e-1",
    body_hash: expect.stringMatching(/^\d+$/),
    time_ms: String(Date.UTC(2026, 10, 21, 8, 30, 0, 250)),
    received_ms: String(nowMs),
    type: "participant.joined",
    partner: "p1",
    reseller: "r2",
    agent: "a1",
    user: "u\t7",
    session: "s9",
    room: "daily",
    interval: "c1",
    job: "j5",
    started_ms: String(Date.UTC(2026, 10, 21, 8)),
    value: "12.5",
    properties: '{"2":1,"alive_within":"30.5","b":true,"language":"e\\"n","model":"standard"}',
    dims: "{}",
    level: "participants",
    level_action: "start",
    alive_within_ms: "30500",
    key: "key_1",
  });
});

test("an event is placed where its organization was at the event's time, and dimensions follow the catalog", async () => {
  await post([
    event({ time: "2025-12-31T23:59:59.999Z" }),
    event({
      time: "2026-01-01T00:00:00Z",
      type: "transcription.completed",
      value: 0.1,
      properties: { mode: "batch", language: "en", x: 1 },
    }),
    event({ organization: "globex", value: "-0" }),
  ]);
  expect(await world.accepting.loggedEvents()).toMatchObject([
    { partner: "p1", reseller: "r1", value: "\\N".replace("\\", ""), agent: "", properties: "{}" },
    { partner: "p1", reseller: "r2", value: "0.1", dims: '{"language":"en","mode":"batch"}' },
    { partner: "p2", reseller: "", value: "0" },
  ]);
});

test.each<[string, Record<string, unknown>, string, string | null]>([
  ["2026-02-30 is no day", { time: "2026-02-30T00:00:00Z" }, "invalid_field", "time"],
  ["before 2000", { time: "1999-12-31T23:59:59.999Z" }, "time_too_old", "time"],
  ["more than 24 h ahead", { time: "2026-11-22T09:00:00.001Z" }, "time_too_far_ahead", "time"],
  ["started_at before 2000", { started_at: "1970-01-01T00:00:00Z" }, "time_too_old", "started_at"],
  ["started_at far ahead", { started_at: "2027-01-01T00:00:00Z" }, "time_too_far_ahead", "started_at"],
  ["a value beyond 29 digits", { value: 1e29 }, "invalid_field", "value"],
  ["a property beyond 29 digits", { properties: { a: 1e29 } }, "invalid_field", "properties.a"],
  ["an unknown field", { tenant: "x" }, "unknown_field", "tenant"],
  ["no type", { type: undefined }, "missing_field", "type"],
  ["a nested property", { properties: { a: [] } }, "invalid_field", "properties.a"],
  ["a join without session", { type: "participant.joined", user: "u" }, "missing_field", "session"],
  ["a join without user", { type: "participant.joined", session: "s" }, "missing_field", "user"],
  ["a recording without session", { type: "recording.started", user: "u" }, "missing_field", "session"],
  ["an end of no session", { type: "session.ended", interval: "i" }, "missing_field", "session"],
  [
    "a life sign of 0 s",
    { type: "recording.alive", interval: "i", properties: { alive_within: 0 } },
    "invalid_field",
    "properties.alive_within",
  ],
  [
    "a life sign in words",
    { type: "recording.alive", interval: "i", properties: { alive_within: "soon" } },
    "invalid_field",
    "properties.alive_within",
  ],
])("%s is rejected and quarantined, and its neighbours are taken", async (_, fields, code, field) => {
  const bad = event(fields);
  const decision = await post([event(), bad, event()]);
  expect(decision).toMatchObject({ accepted: 2, rejected: [{ index: 1, id: bad.id, code, field }] });
  expect(decision.rejected[0]?.message).not.toBe("");
  expect(await world.accepting.loggedEvents()).toHaveLength(2);
  expect(await world.accepting.loggedQuarantine()).toEqual([
    {
      received_at: String(nowMs),
      organization: "acme",
      id: bad.id,
      code,
      field: field ?? "",
      message: decision.rejected[0]?.message,
      key: "key_1",
      raw: JSON.stringify(bad),
    },
  ]);
});

test("clocks that are off and types that no meter knows are warned of, and the events are kept", async () => {
  const decision = await post([
    event({ time: "2026-11-21T09:00:05Z" }),
    event({ time: "2026-11-21T09:00:05.001Z", id: "ahead" }),
    event({ time: "2026-11-22T09:00:00Z" }),
    event({ type: "coffee.brewed", id: "coffee" }),
    event({ type: "coffee.brewed", value: 1e99 }),
  ]);
  expect(decision.accepted).toBe(4);
  expect(decision.warnings).toMatchObject([
    { index: 1, id: "ahead", code: "clock_skew", field: "time" },
    { index: 2, code: "clock_skew" },
    { index: 3, id: "coffee", code: "unmatched_type", field: "type" },
  ]);
});

test("without a time, a version 7 UUID's own time counts if it is in range, else receipt", async () => {
  const uuidAt = (ms: number) => {
    const hex = ms.toString(16).padStart(12, "0");
    return `${hex.slice(0, 8)}-${hex.slice(8)}-7abc-8def-0123456789ab`;
  };
  const ids = [uuidAt(nowMs - 5_000), uuidAt(5), uuidAt(nowMs + 90_000_000), "plain"];
  const { warnings } = await post(ids.map((id) => event({ id, time: undefined })));
  expect(warnings).toMatchObject([{ index: 2, code: "clock_skew", field: "id" }]);
  expect((await world.accepting.loggedEvents()).map(({ time_ms }) => Number(time_ms))).toEqual([
    nowMs - 5_000,
    nowMs,
    nowMs,
    nowMs,
  ]);
});

test("an id's own time that lies ahead is warned of as any other", async () => {
  const hex = (nowMs + 3 * 3_600_000).toString(16).padStart(12, "0");
  const id = `${hex.slice(0, 8)}-${hex.slice(8)}-7abc-8def-0123456789ab`;
  const { warnings } = await post(event({ id, time: undefined }));
  expect(warnings).toMatchObject([{ code: "clock_skew", field: "id", message: expect.stringContaining("10800") }]);
});

test.each(["-1e-10", "-0.0000000001", "-1"])("a duration of %s is negative, however small it is", async (value) => {
  const call = event({ type: "call.completed", value });
  expect(await post(call)).toMatchObject({ accepted: 0, rejected: [{ code: "invalid_field", field: "value" }] });
  expect(await post({ ...call, value: "-0.0" })).toMatchObject({ accepted: 1 });
});

test("a retry counts once however it is written, and another body under the same id is a conflict", async () => {
  const first = event({ value: "12.5", properties: { a: 1, b: "x" } });
  const respelt = { ...first, time: "2026-11-21T09:59:00.000+01:00", value: 12.5, properties: { b: "x", a: 1 } };
  expect(await post([first, { ...first, organization: "globex" }])).toMatchObject({ accepted: 2 });
  expect(await post([respelt, first, respelt])).toMatchObject({ accepted: 0, duplicates: 3, rejected: [] });
  const escaped = JSON.stringify(first).replace("chat", "\\u0063hat");
  expect(await post(escaped)).toMatchObject({ accepted: 0, duplicates: 1 });
  for (const other of [{ value: "12.6" }, { user: "u" }, { time: undefined }, { properties: { a: "1", b: "x" } }]) {
    expect(await post({ ...first, ...other })).toMatchObject({
      accepted: 0,
      rejected: [{ code: "id_conflict", field: "id" }],
    });
  }
  expect(await world.accepting.loggedEvents()).toHaveLength(2);
});

test("an event sent twice in one request counts once, and a third with another body is rejected", async () => {
  const twice = event();
  expect(await post([twice, twice, { ...twice, room: "r" }])).toMatchObject({
    accepted: 1,
    duplicates: 1,
    rejected: [{ index: 2, code: "id_conflict" }],
  });
});

test("a retry without a time is the same body, whenever it is received", async () => {
  const timeless = event({ time: undefined });
  await post(timeless);
  world.accepting.now = () => nowMs + 60_000;
  expect(await post(timeless)).toMatchObject({ duplicates: 1 });
});

test("a stored event is a duplicate or a conflict also when memory has forgotten it", async () => {
  const known = event();
  await post(known);
  const [line] = await world.accepting.loggedEvents();
  const later = await startAccepting({ now: () => nowMs });
  try {
    later.stored.set(identityOf("acme", known.id), line?.body_hash ?? "");
    const send = async (body: unknown) =>
      (
        await acceptRequest(later, {
          headers: new Headers({ "content-type": "application/json" }),
          body: streamOf(Buffer.from(JSON.stringify(body))),
          sendingKey: rootKey,
          isAtomic: false,
        })
      ).decision;
    expect(await send(known)).toMatchObject({ duplicates: 1 });
    expect(await send({ ...known, room: "x" })).toMatchObject({ rejected: [{ code: "id_conflict" }] });
  } finally {
    await later.close();
  }
});

test("atomic takes all or nothing, and what was not taken can be sent again", async () => {
  const good = [event(), event()];
  const decision = await post([good[0], event({ foo: 1 }), good[1]], { isAtomic: true });
  expect(decision).toMatchObject({ isAborted: true, accepted: 0, duplicates: 0 });
  expect(decision.rejected.map(({ code }) => code)).toEqual(["aborted", "unknown_field", "aborted"]);
  expect(await world.accepting.loggedEvents()).toEqual([]);
  expect(await world.accepting.loggedQuarantine()).toEqual([]);
  expect(await post([...good, good[0]], { isAtomic: true })).toMatchObject({
    isAborted: false,
    accepted: 2,
    duplicates: 1,
  });
});

test("an atomic request that is not taken makes no organization and counts for none, one that is taken makes them", async () => {
  const { tree } = world.accepting;
  const first = event({ organization: "atomic-new" });

  const taken = event();
  await post(taken);
  for (const [bad, code] of [
    [event({ foo: 1, organization: "atomic-other" }), "unknown_field"],
    [{ ...taken, room: "another body" }, "id_conflict"],
  ] as const) {
    const decision = await post([first, bad], { isAtomic: true });
    expect(decision).toMatchObject({ isAborted: true, rejected: [{ code: "aborted" }, { code }] });
    expect(tree.get("organization:atomic-new")).toBeUndefined();
    expect(tree.get("organization:atomic-other")).toBeUndefined();
    expect((decision as Decision).outcomes.map(({ organization }) => organization)).not.toContain("atomic-new");
  }
  expect(await post([first, event()], { isAtomic: true })).toMatchObject({ isAborted: false, accepted: 2 });
  expect(tree.get("organization:atomic-new")).toBeDefined();
});

test("a key writes only to its subtree, creates only below its node, and leaves no trace in others' quarantine", async () => {
  const reseller = { id: "key_r", node: "reseller:r1", createOrganizations: true };
  expect(
    await post([event(), event({ organization: "globex" }), event({ organization: "newco" })], {
      sendingKey: reseller,
    }),
  ).toMatchObject({
    accepted: 2,
    rejected: [{ index: 1, code: "outside_subtree", field: "organization" }],
  });
  expect(world.accepting.tree.organizations.get("newco")).toEqual({ partner: "", reseller: "r1" });
  expect(await world.accepting.loggedQuarantine()).toMatchObject([{ organization: "", key: "key_r" }]);

  for (const sendingKey of [
    { ...reseller, createOrganizations: false },
    { id: "key_o", node: "organization:acme", createOrganizations: true },
  ]) {
    const refused = async (organization: string) => (await post(event({ organization }), { sendingKey })).rejected;
    const unknown = await refused("nowhere");
    expect(unknown).toMatchObject([{ code: "outside_subtree", field: "organization" }]);
    const [{ id: _, ...unknownOrganization } = { id: "" }] = unknown;
    expect(await refused("globex"), "nothing reveals which organizations others have").toMatchObject([
      unknownOrganization,
    ]);
  }
  const root = { id: "key_0", node: "all", createOrganizations: false };
  expect(await post(event({ organization: "nowhere" }), { sendingKey: root })).toMatchObject({
    accepted: 0,
    rejected: [{ code: "unknown_organization", field: "organization" }],
  });
  const agent = { id: "key_a", node: "agent:acme/a1", createOrganizations: false };
  expect(await post([event({ agent: "a1" }), event({ agent: "a2" }), event()], { sendingKey: agent })).toMatchObject({
    accepted: 1,
    rejected: [
      { index: 1, code: "outside_subtree", field: "agent" },
      { index: 2, code: "outside_subtree", field: "agent" },
    ],
  });
});

test("an agent's key does not reach an organization whose id looks like the way to another agent", async () => {
  world.accepting.tree.organizations.set("acme/a1", { partner: "", reseller: "" });
  const agent = { id: "key_a", node: "agent:acme/a1/x", createOrganizations: false };
  expect(await post(event({ organization: "acme/a1", agent: "x" }), { sendingKey: agent })).toMatchObject({
    accepted: 0,
    rejected: [{ code: "outside_subtree", field: "organization" }],
  });
  expect(await post(event({ agent: "a1/x" }), { sendingKey: agent })).toMatchObject({ accepted: 1 });
});

test("a duplicate is not answered before its first copy is on disk", async () => {
  const first = event();
  const order: string[] = [];
  const append = world.accepting.log.append.bind(world.accepting.log);
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const appended = vi
    .spyOn(world.accepting.log, "append")
    .mockImplementation((record) => released.then(() => append(record)));
  const sent = post(first).then(() => order.push("first"));
  const retried = post(first).then(() => order.push("retry"));
  await vi.waitFor(() => expect(appended).toHaveBeenCalledTimes(2), { timeout: patienceMs });
  expect(order).toEqual([]);
  release();
  await Promise.all([sent, retried]);
  expect([...order].sort()).toEqual(["first", "retry"]);
});

test("when the log is full nothing is taken, the sender is told when to return, and the ids are as new as before", async () => {
  const append = vi.spyOn(world.accepting.log, "append").mockRejectedValueOnce(new LogFullError("full"));
  const sent = event();
  expect(await refusal(sent)).toMatchObject({ code: "overloaded", retryAfterSeconds: 30 });
  append.mockRestore();
  expect(await post({ ...sent, room: "another body" })).toMatchObject({ accepted: 1 });
});

test("events that storage cannot answer for are logged unchecked", async () => {
  vi.spyOn(world.accepting.knownIds, "ask").mockResolvedValue(undefined);
  await post(event());
  expect(await world.accepting.loggedEvents()).toMatchObject([{ checked: "0" }]);
});

test("the log fills the known ids of the next process", async () => {
  const sent = event();
  await post(sent);
  const next = await startAccepting({ now: () => nowMs });
  try {
    await next.knownIds.fillFromLog(world.accepting.log.read(null));
    const identity = identityOf("acme", sent.id);
    const known = { organization: "acme", id: sent.id, timeMs: 0, identity, idHash: hashText(identity), bodyHash: 1n };
    expect(next.knownIds.mustAsk(known)).toBe(false);
  } finally {
    await next.close();
  }
});

test("a key that sends too fast is told when to return, and others are not held up", async () => {
  let atMs = nowMs;
  await world.restart({ now: () => atMs, admission: { eventsPerSecond: 100, burstEvents: 10_000 } });
  const many = () => Array.from({ length: 9_000 }, () => event());
  expect(await post(many())).toMatchObject({ accepted: 9_000 });
  expect(await refusal(many())).toMatchObject({ code: "too_fast", retryAfterSeconds: 80 });
  expect(await post(event(), { sendingKey: { ...rootKey, id: "key_2" } })).toMatchObject({ accepted: 1 });
  atMs += 80_000;
  expect(await post(many())).toMatchObject({ accepted: 9_000 });
});

test("above 80% of the log's bound, and on a full disk, requests are refused before the body is read", async () => {
  let free = 1e12;
  let atMs = nowMs;
  await world.restart({
    now: () => atMs,
    maxBytes: 20_000,
    admission: { freeDiskBytes: async () => free, random: () => 0.5 },
  });
  const unread = () => {
    const body = new ReadableStream<Uint8Array>(
      { pull: () => Promise.reject(new Error("was read")) },
      { highWaterMark: 0 },
    );
    return acceptRequest(world.accepting, {
      headers: new Headers({ "content-type": "application/json" }),
      body,
      sendingKey: rootKey,
      isAtomic: false,
    });
  };
  free = 0;
  expect(world.accepting.admission.isOverloaded).toBe(false);
  await Promise.resolve();
  await expect(unread()).rejects.toMatchObject({ code: "overloaded" });
  free = 1e12;
  atMs += 1_000;
  expect(world.accepting.admission.isOverloaded).toBe(true);
  await Promise.resolve();
  expect(world.accepting.admission.isOverloaded).toBe(false);
  await post(Array.from({ length: 160 }, () => event()));
  expect(world.accepting.log.backlogBytes).toBeGreaterThan(16_000);
  await expect(unread()).rejects.toMatchObject({ code: "overloaded", retryAfterSeconds: 30 });
});
