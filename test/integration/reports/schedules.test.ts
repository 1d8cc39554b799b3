/** Schedules by their routes, to a real mail server: who gets what, when, and how often. */

import { hash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { eq } from "drizzle-orm";
import type { Email } from "postal-mime";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Role } from "../../../server/contract/accounts.ts";
import { Courier } from "../../../server/delivery/courier.ts";
import { createEgress } from "../../../server/delivery/egress.ts";
import { nothingAllowed } from "../../../server/delivery/outgoing-allow.ts";
import { readUnsubscribeLinks } from "../../../server/delivery/unsubscribe.ts";
import { newId } from "../../../server/identity/actor.ts";
import { MailLimits } from "../../../server/mail/mail-limits.ts";
import { userRoles, users } from "../../../server/postgres/schema/accounts.ts";
import { deliveries } from "../../../server/postgres/schema/delivery.ts";
import { advanceSchedules } from "../../../server/reports/advance-schedules.ts";
import { type Bucket, openBucket } from "../../../server/reports/bucket.ts";
import { createFileLinks } from "../../../server/reports/file-link.ts";
import { putReport } from "../../../server/reports/put-report.ts";
import type { Answer } from "../../support/accounts.ts";
import { type Mailbox, openMailbox } from "../../support/mailbox.ts";
import { checkPut, fullOnce } from "../../support/put-files.ts";
import { createReportsWorld, type ReportsWorld, reseller } from "../../support/reports-world.ts";
import { openS3Store, s3Credentials } from "../../support/s3-store.ts";
import { previewsAndNobody } from "./previews-and-nobody.ts";

let world: ReportsWorld;
let mailbox: Mailbox;
let couriers: Courier[];
let bucket: Bucket | undefined;
beforeAll(async () => {
  [world, mailbox] = await Promise.all([createReportsWorld(), openMailbox()]);
  const { postgres, tree, log, vault } = world.deps;
  const egress = createEgress({ allow: nothingAllowed });
  const links = await readUnsubscribeLinks(postgres);
  const sending = {
    postgres,
    tree,
    log,
    vault,
    egress,
    links,
    sms: undefined,
    publicUrl: world.url,
    whyNotTo: async () => undefined,
    unseenBy: async () => new Set<string>(),
    putReport: async (row: Parameters<typeof putReport>[2]) =>
      await putReport({ postgres, log }, bucket as Bucket, row),
  };
  couriers = [1, 2].map(() => new Courier({ ...sending, mailer: mailbox.mailer, mailLimits: new MailLimits() }));
  for (const [name, role] of [
    ["owner", "owner"],
    ["viewer", "viewer"],
    ["gone", "viewer"],
    ["removed", "viewer"],
  ] as const)
    await person(`${name}@told.example.com`, role);
});
afterAll(async () => {
  await Promise.all(couriers.map((courier) => courier.close()));
  await mailbox.close();
  await world.close();
});

async function person(email: string, role: Role): Promise<void> {
  const id = newId("usr");
  await world.deps.postgres.db.insert(users).values({ id, email });
  await world.deps.postgres.db.insert(userRoles).values({ userId: id, node: reseller, role });
}

const ask = (method: string, path: string, body?: unknown, headers = {}): Promise<Answer> =>
  world.ask(method, path, { key: world.key, body, headers });

async function create(given: object) {
  const wanted = { report: "usage", every: "day", formats: ["csv", "json"], ...given };
  const { status, body } = await ask("POST", "/v1/schedules", wanted);
  expect(status, JSON.stringify(body)).toBe(201);
  return body;
}

/** Two processes at once, then the makers of reports, until every slot is over. */
async function settleAt(nowMs: number): Promise<void> {
  const { postgres, tree, log, reportMaker } = world.deps;
  const source = {
    postgres,
    tree,
    log,
    links: createFileLinks(postgres),
    publicUrl: world.url,
    watermark: () => new Date(nowMs),
    hasBucket: bucket !== undefined,
    wake: () => undefined,
  };
  for (;;) {
    await Promise.all([advanceSchedules(source, nowMs), advanceSchedules(source, nowMs)]);
    const { rows } = await postgres.pool.query("SELECT 1 FROM schedule_slots WHERE state = 'running'");
    if (rows.length === 0) break;
    await reportMaker?.tick();
    await delay(20);
  }
  for (;;) {
    await postgres.pool.query("UPDATE deliveries SET due_at = now() WHERE state = 'failed' AND due_at > now()");
    for (const courier of couriers) courier.wake();
    const { rows } = await postgres.pool.query("SELECT 1 FROM deliveries WHERE due_at IS NOT NULL");
    if (rows.length === 0) return;
    await delay(20);
  }
}

const slotsOf = async (id: string, query = "") => (await ask("GET", `/v1/schedules/${id}/slots${query}`)).body.slots;
const mailsOf = (subject: string): Email[] => mailbox.mails.filter((mail) => mail.subject?.includes(subject));
const toOf = (mails: Email[]) => mails.map(({ to }) => to?.[0]?.address ?? "").sort();
const pause = (id: string) => ask("POST", `/v1/schedules/${id}/pause`);

test("a scheduled report arrives at its slot, once to each who may have it, with the files of its run", async () => {
  const recipients = [
    "viewer@told.example.com",
    "gone@told.example.com",
    "removed@told.example.com",
    "outside@example.org",
  ];
  const schedule = await create({ recipients, subject: "Daily figures" });
  expect(schedule).toMatchObject({ node: reseller, every: "day", at: "08:00", tz: "UTC", paused: false });
  expect(schedule.in_words).toBe("Every day at 08:00 (UTC), for the day before");
  const [next, second] = schedule.next.map((at: string) => Date.parse(at));
  expect(schedule.next).toHaveLength(3);
  expect(next - Date.now()).toBeLessThanOrEqual(86_400_000);

  const time = new Date(next - 31 * 3_600_000).toISOString();
  const event = {
    id: "scheduled-1",
    type: "transcription.completed",
    organization: "told-0",
    time,
    value: "42.5",
    user: "ann",
  };
  await world.ask("POST", "/v1/events?ack=stored", {
    key: world.root,
    body: [{ ...event, properties: { language: "en" } }],
  });
  const { db } = world.deps.postgres;
  const [gone] = await db.select().from(users).where(eq(users.email, "gone@told.example.com"));
  await db.delete(userRoles).where(eq(userRoles.userId, gone?.id ?? ""));
  await db.delete(users).where(eq(users.email, "removed@told.example.com"));

  await settleAt(next - 1);
  expect(await slotsOf(schedule.id)).toEqual([]);
  await settleAt(next);
  await settleAt(next);
  const mails = mailsOf("Daily figures");
  expect(toOf(mails)).toEqual(["outside@example.org", "viewer@told.example.com"]);
  const [slot, ...others] = await slotsOf(schedule.id);
  expect(others).toEqual([]);
  const last = { state: "sent", reason: null, at: slot.at, sent_at: slot.sent_at };
  const { schedules } = (await ask("GET", "/v1/schedules")).body;
  expect(schedules.find(({ id }: { id: string }) => id === schedule.id).last).toEqual(last);
  expect(slot).toMatchObject({ state: "sent", reason: null, late: false, test: false });
  expect(slot.withheld.sort()).toEqual(["gone@told.example.com", "removed@told.example.com"]);
  expect(slot.deliveries).toHaveLength(2);
  expect(Date.parse(slot.at)).toBe(next);
  expect(Date.parse(slot.to) - Date.parse(slot.from)).toBe(86_400_000);

  const run = (await ask("GET", `/v1/report-runs/${slot.run}`)).body;
  expect(run).toMatchObject({ state: "done", from: slot.from, to: slot.to, formats: ["csv", "json"] });
  const sums = run.files.flatMap((file: { sha256: string; sections?: { sha256: string }[] }) =>
    (file.sections ?? [file]).map(({ sha256 }) => sha256),
  );
  for (const mail of mails) {
    const attached = mail.attachments.map(({ content }) => hash("sha256", Buffer.from(content as ArrayBuffer), "hex"));
    expect(attached.sort()).toEqual([...sums].sort());
    expect(mail.text).toContain("42.5");
    expect(mail.headers.find(({ key }) => key === "list-unsubscribe-post")?.value).toBe("List-Unsubscribe=One-Click");
  }

  const link = mails
    .find(({ to }) => to?.[0]?.address === "outside@example.org")
    ?.headers.find(({ key }) => key === "list-unsubscribe");
  const left = await fetch(link?.value.slice(1, -1) ?? "", { method: "POST", body: "List-Unsubscribe=One-Click" });
  expect(left.ok).toBe(true);
  await settleAt(second);
  expect(toOf(mailsOf("Daily figures"))).toEqual([
    "outside@example.org",
    "viewer@told.example.com",
    "viewer@told.example.com",
  ]);
  expect((await slotsOf(schedule.id))[0].withheld).toContain("outside@example.org");
  await pause(schedule.id);
  await ask("DELETE", `/v1/schedules/${schedule.id}`);
  await world.deps.postgres.db.delete(deliveries).where(eq(deliveries.list, schedule.id));
  const { status } = await fetch(link?.value.slice(1, -1) ?? "", { method: "POST" });
  expect(status).toBe(200);

  const made = await create({ recipients: ["Outside@example.org", "viewer@told.example.com"], subject: "Once more" });
  const changed = await create({ recipients: ["viewer@told.example.com"], subject: "Once more" });
  await ask("PATCH", `/v1/schedules/${changed.id}`, { recipients: ["outside@example.org"] });
  const [again, then] = made.next.map((at: string) => Date.parse(at));
  await settleAt(again);
  expect(toOf(mailsOf("Once more")), "whoever unsubscribed stays so").toEqual(["viewer@told.example.com"]);
  await fetch(`${link?.value.slice(1, -1)}?again=true`, { method: "POST" });
  await settleAt(then);
  expect(
    toOf(mailsOf("Once more")).filter((to) => /^outside/i.test(to)),
    "until it agrees itself",
  ).toHaveLength(2);
  for (const { id } of [made, changed]) await pause(id);
});

test("addresses without an account that the caller sees are put on so many lists an hour; the refusal names the field", async () => {
  const { key } = await world.makeKey(["read", "admin"], reseller);
  const body = { report: "usage", every: "day", formats: ["json"] };
  const post = async (recipients: string[]) =>
    await world.ask("POST", "/v1/schedules", { key, body: { ...body, recipients } });
  const paused = async ({ status, body: { id } }: Answer) => {
    if (status === 201) await pause(id);
    return status;
  };
  for (let n = 0; n < 12; n++) expect(await paused(await post(["viewer@told.example.com"]))).toBe(201);
  for (let n = 0; n < 10; n++)
    expect(await paused(await post([n % 2 ? "Flood@example.org" : "flood@example.org"]))).toBe(201);
  const refused = await post(["viewer@told.example.com", "flood@example.org"]);
  expect(refused).toMatchObject({ status: 429, body: { field: "recipients" } });
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  const mine = (await post(["other@example.org"])).body;
  const path = `/v1/schedules/${mine.id}`;
  const edited = await world.ask("PATCH", path, {
    key,
    body: { recipients: ["other@example.org", "flood@example.org"] },
  });
  expect(edited).toMatchObject({ status: 429, body: { field: "recipients" } });
  await pause(mine.id);
});

test("prices reach only who may see them, and whoever's author lost the right reaches nobody outside", async () => {
  const { id, key } = await world.makeKey(["read", "admin"], reseller);
  const body = {
    report: "billing",
    every: "day",
    formats: ["json"],
    recipients: ["owner@told.example.com", "viewer@told.example.com", "payer@example.org"],
    subject: "Money",
  };
  const made = await world.ask("POST", "/v1/schedules", { key, body });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  const [first, second] = made.body.next.map((at: string) => Date.parse(at));
  await settleAt(first);
  expect(toOf(mailsOf("Money"))).toEqual(["owner@told.example.com", "payer@example.org"]);
  await world.deps.keys.revoke(id, {
    by: { kind: "system", id: "system", name: "Tidemark", address: null },
    check: () => undefined,
  });
  await settleAt(second);
  expect(toOf(mailsOf("Money"))).toEqual(["owner@told.example.com", "owner@told.example.com", "payer@example.org"]);
  await pause(made.body.id);
  const blind = (await world.makeKey(["admin"], reseller)).key;
  expect((await world.ask("POST", "/v1/schedules", { key: blind, body })).status).toBe(403);
});

test("a test goes at once to the person who asks, and to nobody else", async () => {
  const [user] = await world.deps.postgres.db.select().from(users).where(eq(users.email, "owner@told.example.com"));
  const { token } = await world.deps.signInSessions.create(user?.id ?? "");
  const schedule = await create({ recipients: ["outside@example.net"], subject: "Tried" });
  const tested = await world.ask("POST", `/v1/schedules/${schedule.id}/test`, {
    session: token,
    headers: { origin: world.url },
  });
  expect(tested.status, JSON.stringify(tested.body)).toBe(202);
  expect(tested.body).toMatchObject({ state: "waiting", test: true });
  await settleAt(Date.now());
  expect(toOf(mailsOf("Test: Tried"))).toEqual(["owner@told.example.com"]);
  expect(await slotsOf(schedule.id)).toMatchObject([{ state: "sent", id: tested.body.id, test: true }]);
  expect(await slotsOf(schedule.id, "?tests=false")).toEqual([]);
  await pause(schedule.id);
});

/** What the schedule's next time put into `opened`, whose first attempt fails halfway. */
async function putInto(opened: Bucket, recipients: string[]) {
  bucket = fullOnce(opened);
  try {
    const { id, next } = await create({ recipients });
    await settleAt(Date.parse(next[0]));
    await settleAt(Date.parse(next[0]));
    await pause(id);
    const [slot] = await slotsOf(id);
    const sent = await Promise.all(
      slot.deliveries.map(async (one: string) => (await ask("GET", `/v1/deliveries/${one}`)).body),
    );
    const put = sent.filter(({ kind }) => kind === "bucket");
    expect(put).toMatchObject([{ state: "sent", attempts: [{ excerpt: /ENOSPC/ }, { excerpt: "stored" }] }]);
    expect(JSON.stringify(put)).not.toContain("secret");
    return { slot, path: put[0].to as string, run: (await ask("GET", `/v1/report-runs/${slot.run}`)).body };
  } finally {
    bucket = undefined;
  }
}

test("what is sent is in the operator's folder once, whole and exact, though the first attempt was cut off", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-bucket-"));
  try {
    // Nobody gets a mail of it: it is for the folder alone.
    const put = await putInto(openBucket({ kind: "folder", path: folder }), ["gone@told.example.com"]);
    expect(put.slot).toMatchObject({ state: "sent", withheld: ["gone@told.example.com"] });
    const names = await checkPut(put, (path) => readFile(join(folder, path)));
    const found = await readdir(folder, { recursive: true, withFileTypes: true });
    expect(
      found
        .filter((one) => one.isFile())
        .map(({ name }) => name)
        .sort(),
    ).toEqual(names);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("a bucket of an S3-compatible store has the same, below its prefix", async () => {
  const store = await openS3Store("reports");
  const settings = { kind: "s3", bucket: "reports", prefix: "of/tidemark/", region: "us-east-1" } as const;
  const opened = openBucket({ ...settings, endpoint: store.url, credentials: s3Credentials });
  try {
    const put = await putInto(opened, ["outside@example.org"]);
    await checkPut(put, async (path) => {
      const answer = await fetch(`${store.url}/reports/of/tidemark/${path}`);
      expect(answer.status, path).toBe(200);
      return Buffer.from(await answer.arrayBuffer());
    });
  } finally {
    await store.close();
  }
});

test("a choice that does not fit is refused by its field, and an edit needs the state that the caller saw", async () => {
  const refused = async (given: object, field: string, status = 400) => {
    const body = { report: "usage", every: "month", formats: ["csv"], recipients: ["a@example.org"], ...given };
    const answer = await ask("POST", "/v1/schedules", body);
    expect(answer.status, JSON.stringify(answer.body)).toBe(status);
    expect(JSON.stringify(answer.body)).toContain(field);
  };
  await refused({ at: "24:00" }, "at");
  await refused({ tz: "Mars/Olympus" }, "tz");
  await refused({ weekday: "mon" }, "weekday");
  await refused({ every: "week", day: 3 }, "day");
  await refused({ day: 32 }, "day");
  await refused({ fiscal_start_month: 4 }, "fiscal_start_month");
  await refused({ channels: ["chn_none"] }, "channels.0");
  await refused({ recipients: ["no address"] }, "recipients");
  await refused({ report: "rpt_none" }, "report", 404);
  await refused({ past_periods: 13 }, "past_periods");
  await refused({ past_periods: 1, when_missed: "skip" }, "past_periods");

  const made = await create({
    every: "quarter",
    day: 31,
    fiscal_start_month: 2,
    tz: "Europe/Berlin",
    recipients: ["a@example.org"],
  });
  expect(made).toMatchObject({ day: 31, fiscal_start_month: 2, weekday: null });
  const read = await ask("GET", `/v1/schedules/${made.id}`);
  const match = { "if-match": read.headers.get("etag") ?? "" };
  const changed = await ask("PATCH", `/v1/schedules/${made.id}`, { every: "week", weekday: 3 }, match);
  expect(changed.body).toMatchObject({ every: "week", weekday: "wed", day: null, fiscal_start_month: null });
  for (const at of changed.body.next) expect(new Date(at).getUTCDay()).toBe(3);
  expect((await ask("PATCH", `/v1/schedules/${made.id}`, { at: "09:00" }, match)).status).toBe(412);
  expect((await ask("POST", `/v1/schedules/${made.id}/test`, undefined, match)).status).toBe(412);
  const paused = await pause(made.id);
  expect(paused.body).toMatchObject({ paused: true, next: [] });
  expect((await ask("POST", `/v1/schedules/${made.id}/resume`)).body).toMatchObject({ paused: false });
  expect((await ask("DELETE", `/v1/schedules/${made.id}`)).status).toBe(204);
  expect((await ask("GET", `/v1/schedules/${made.id}`)).status).toBe(404);
});

previewsAndNobody(() => ({ ask, create, settleAt, slotsOf, pause }));
