/** How each person is notified of alerts: the bell, mail at once, the digest of the day. */
import { and, asc, eq } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { refusalOfPerson, unseenByPerson } from "../../../server/alerts/check-recipient.ts";
import { nextDigestMs } from "../../../server/alerts/digest-time.ts";
import { changePreferences, describePreferences, readOwnPreferences } from "../../../server/alerts/preferences.ts";
import { sendDigests } from "../../../server/alerts/send-digests.ts";
import type { ChangeNotificationPreferences } from "../../../server/contract/notification-preferences.ts";
import type { CreateRule } from "../../../server/contract/rules.ts";
import { attempt } from "../../../server/delivery/attempt.ts";
import type { DeliveryRow } from "../../../server/delivery/outbox.ts";
import { listDeliveries } from "../../../server/delivery/read-deliveries.ts";
import { renderMail } from "../../../server/delivery/render-mail.ts";
import { readUnsubscribeLinks, unsubscribe } from "../../../server/delivery/unsubscribe.ts";
import type { Mail } from "../../../server/mail/mailer.ts";
import { userRoles, users } from "../../../server/postgres/schema/accounts.ts";
import { alerts, digestEntries, notifications } from "../../../server/postgres/schema/alerts.ts";
import { deliveries } from "../../../server/postgres/schema/delivery.ts";
import { type AlertsWorld, createAlertsWorld, dayMs, seller } from "../../support/alerts-world.ts";

let world: AlertsWorld;
const usualMs = Date.parse("2026-03-10T12:00:00Z");
const slotMs = Date.parse("2026-03-11T08:00:00Z");
const postgres = () => world.billing.world.deps.postgres;
const source = () => ({
  postgres: postgres(),
  tree: world.billing.world.deps.tree,
  publicUrl: "https://tidemark.example",
});
beforeAll(async () => {
  world = await createAlertsWorld();
});
afterAll(() => world.close());
afterEach(() => world.removeRules());
beforeEach(() => {
  world.nowMs = usualMs;
});

let people = 0;
async function person(node: string, preferences: ChangeNotificationPreferences, role: "viewer" | "owner" = "viewer") {
  const id = `usr_hearing_${++people}`;
  const email = `hearing-${people}@example.com`;
  await postgres().db.insert(users).values({ id, email });
  await postgres().db.insert(userRoles).values({ userId: id, node, role });
  await changePreferences(postgres(), { userId: id, nowMs: world.nowMs, check: () => undefined }, preferences);
  return { id, email };
}

const sentTo = async (email: string) =>
  await postgres().db.select().from(deliveries).where(eq(deliveries.to, email)).orderBy(asc(deliveries.position));
const rungFor = async (id: string) =>
  await postgres().db.select().from(notifications).where(eq(notifications.userId, id));
const waitingFor = async (id: string) =>
  await postgres().db.select().from(digestEntries).where(eq(digestEntries.userId, id));
const choice = (mail: "at_once" | "digest" | "never", bell: "at_once" | "never" = "never") => ({
  choices: [{ kind: "threshold" as const, severity: "critical" as const, mail, bell }],
});
const condition = { kind: "threshold", meter: "chat_posts", window: "1h", above: "1" } as CreateRule["condition"];

async function crossing(rule: Partial<CreateRule> = {}) {
  const { organization, node } = await world.newOrganization();
  const id = await world.newRule({ name: "Posts", node, severity: "critical", condition, ...rule });
  const fire = async (time = "2026-03-10T11:30:00Z") => {
    await world.billing.send([1, 2].map(() => ({ type: "chat.posted", organization, time })));
    await world.evaluate();
  };
  return { node, rule: id, fire };
}

test("each person is notified by bell and mail as they chose for the kind and severity, and by default the bell alone", async () => {
  const { node, fire } = await crossing();
  const [usual, mailed, silent, other] = [
    await person(node, {}),
    await person(seller, choice("at_once", "at_once")),
    await person(node, choice("never")),
    await person(node, { choices: [{ kind: "threshold", severity: "info", mail: "at_once", bell: "never" }] }),
  ];
  await fire();
  await world.evaluate();
  const received = async ({ id, email }: { id: string; email: string }) => [
    (await rungFor(id)).length,
    (await sentTo(email)).map(({ type }) => type),
  ];
  expect(await received(usual)).toEqual([1, []]);
  expect(await received(mailed)).toEqual([1, ["alert.firing"]]);
  expect(await received(silent)).toEqual([0, []]);
  expect(await received(other)).toEqual([1, []]);
  const [mail] = await sentTo(mailed.email);
  expect(mail).toMatchObject({ node: "all", kind: "email", channel: null, list: `notifications ${mailed.id}` });
  expect(mail?.message).toMatchObject({ button: "View alert" });
});

test("the digest of a day is sent once, at its time, by however many processes, and has each alert as it is then", async () => {
  const [one, two] = [await crossing(), await crossing()];
  const { id, email } = await person(seller, choice("digest"));
  await one.fire();
  await two.fire();
  await world.evaluate(usualMs + 2 * 60 * 60_000);
  expect(await sentTo(email)).toEqual([]);
  await sendDigests(source(), slotMs - 1);
  expect(await sentTo(email)).toEqual([]);
  await Promise.all([1, 2, 3].map(() => sendDigests(source(), slotMs)));
  await sendDigests(source(), slotMs + 1);
  const [digest, ...others] = await sentTo(email);
  expect(others).toEqual([]);
  expect(digest?.type).toBe("digest");
  expect(digest?.message.subject).toMatch(/^Your digest: \d alerts?, none firing now$/);
  const mine = await postgres().db.select().from(alerts).where(eq(alerts.node, two.node));
  expect(digest?.message.rows).toContainEqual({
    title: "Posts (critical, resolved)",
    text: mine[0]?.explanation,
    about: expect.stringMatching(/^watched-\d+, started 2026-03-10 12:00 UTC, resolved 2026-03-10 14:00 UTC$/),
    url: `https://tidemark.example/alerts/${mine[0]?.id}`,
  });
  expect(await waitingFor(id)).toEqual([]);
  const frame = {
    id: "dlv_1",
    to: email,
    matter: null,
    unsubscribeUrl: "https://x.example/u",
    publicUrl: "https://x.example",
  };
  const mail = renderMail(digest?.message ?? { subject: "", lines: [], url: "", button: "", data: null }, frame);
  for (const text of [mail.text, mail.html]) expect(text).toContain(`https://tidemark.example/alerts/${mine[0]?.id}`);
});

test("a digest whose mail could not be written is written later, and nothing of it is lost", async () => {
  const { fire, node } = await crossing();
  const { id, email } = await person(node, choice("digest"));
  await fire();
  const killed = {
    ...source(),
    tree: {
      ...source().tree,
      effectiveStatus: () => {
        throw new Error("killed");
      },
    },
  };
  await expect(sendDigests(killed as never, slotMs)).rejects.toThrow("digests could not be sent");
  expect([(await waitingFor(id)).length, (await sentTo(email)).length]).toEqual([1, 0]);
  await sendDigests(source(), slotMs + dayMs);
  expect([(await waitingFor(id)).length, (await sentTo(email)).length]).toEqual([0, 1]);
});

test("who lost a role, was switched off or wants no mail any more gets nothing of it in the next digest", async () => {
  const { fire, node } = await crossing();
  const [stays, lost, off, changed, left] = [
    await person(node, choice("digest")),
    await person(node, choice("digest")),
    await person(node, choice("digest")),
    await person(node, choice("digest")),
    await person(node, choice("digest")),
  ];
  if (!stays || !lost || !off || !changed || !left) throw new Error("five people were made");
  await fire();
  await postgres().db.delete(userRoles).where(eq(userRoles.userId, lost.id));
  await postgres().db.update(users).set({ disabledAt: new Date() }).where(eq(users.id, off.id));
  const who = { userId: changed.id, nowMs: world.nowMs, check: () => undefined };
  await changePreferences(postgres(), who, choice("never"));
  await unsubscribe(postgres(), source().tree, { list: `notifications ${left.id}`, address: left.email });
  await sendDigests(source(), slotMs);
  const sent = await Promise.all(
    [stays, lost, off, changed, left].map(async ({ email }) => (await sentTo(email)).length),
  );
  expect(sent).toEqual([1, 0, 0, 0, 0]);
});

test("who unsubscribed sees it, and saving what was chosen before changes nothing of it; choosing mail anew or saying so does", async () => {
  const { id, email } = await person(seller, choice("digest"));
  const who = { userId: id, nowMs: world.nowMs, check: () => undefined };
  const leave = () => unsubscribe(postgres(), source().tree, { list: `notifications ${id}`, address: email });
  const isAway = async () => describePreferences(await readOwnPreferences(postgres().db, id), world.nowMs).unsubscribed;
  expect(await isAway()).toBe(false);
  await leave();
  expect(await isAway()).toBe(true);
  const { choices } = describePreferences(await readOwnPreferences(postgres().db, id), world.nowMs);
  expect((await changePreferences(postgres(), who, { choices })).isUnsubscribed).toBe(true);
  expect((await changePreferences(postgres(), who, choice("at_once"))).isUnsubscribed).toBe(true);
  expect((await changePreferences(postgres(), who, { unsubscribed: false })).isUnsubscribed).toBe(false);
  await leave();
  await changePreferences(postgres(), who, choice("never"));
  expect((await changePreferences(postgres(), who, choice("digest"))).isUnsubscribed).toBe(false);
});

test("a mail that waited or is resent reaches nobody who lost the role, the account, or the address since it was written", async () => {
  const { fire, node } = await crossing();
  const mailed = await Promise.all(
    ["stays", "lost", "off", "moved", "gone"].map(() => person(node, choice("at_once"))),
  );
  const digested = await Promise.all(["stays", "lost"].map(() => person(node, choice("digest"))));
  await fire();
  await sendDigests(source(), slotMs);
  const rows = (await Promise.all([...mailed, ...digested].map(({ email }) => sentTo(email)))).flat();
  expect(rows.length).toBe(7);
  const [, lost, off, moved, gone] = mailed.map(({ id }) => id);
  const { db } = postgres();
  for (const id of [lost, digested[1]?.id]) await db.delete(userRoles).where(eq(userRoles.userId, id ?? ""));
  await db
    .update(users)
    .set({ disabledAt: new Date() })
    .where(eq(users.id, off ?? ""));
  await db
    .update(users)
    .set({ email: `moved-${moved}@example.com` })
    .where(eq(users.id, moved ?? ""));
  await db.delete(users).where(eq(users.id, gone ?? ""));
  const { attemptOf, posted } = await sender();
  const results = [];
  for (const row of rows) results.push((await attemptOf(row)).result);
  expect(results).toEqual(["sent", "never", "never", "never", "never", "sent", "never"]);
  expect(posted.map(({ to }) => to)).toEqual([mailed[0]?.email, digested[0]?.email]);
});

/** Sends mails as the courier does, to nobody. */
async function sender() {
  const posted: Mail[] = [];
  const deps = {
    ...source(),
    links: await readUnsubscribeLinks(postgres()),
    mailer: { send: async (mail: Mail) => `250 ${posted.push(mail)}` },
    whyNotTo: (row: DeliveryRow) => refusalOfPerson(source(), row),
    unseenBy: (row: DeliveryRow) => unseenByPerson(source(), row),
  };
  return { posted, attemptOf: (row: DeliveryRow) => attempt(deps as never, row) };
}

test("a digest that waited leaves out the alerts that its reader does not see any more, counts the rest, and is found by each", async () => {
  const [kept, lost] = [await crossing(), await crossing()];
  const { id, email } = await person(kept.node, choice("digest"));
  await postgres().db.insert(userRoles).values({ userId: id, node: lost.node, role: "viewer" });
  await kept.fire();
  await lost.fire();
  await sendDigests(source(), slotMs);
  const [digest] = await sentTo(email);
  if (!digest) throw new Error("no digest was written");
  expect(digest.message.subject).toMatch(/^Your digest: 2 alerts/);
  const idOf = async (node: string) => (await world.alertsOf(node))[0]?.id ?? "";
  const ids = [await idOf(kept.node), await idOf(lost.node)];
  for (const alert of ids) {
    const asked = { tops: ["all"], alert, limit: 10 };
    const found = await listDeliveries(postgres().db, world.billing.world.deps.tree, asked);
    expect(found.map((one) => one.id)).toContain(digest.id);
  }
  await postgres()
    .db.delete(userRoles)
    .where(and(eq(userRoles.userId, id), eq(userRoles.node, lost.node)));
  const { attemptOf, posted } = await sender();
  expect((await attemptOf(digest)).result).toBe("sent");
  expect(posted[0]?.subject).toMatch(/^Your digest: 1 alert, /);
  expect(posted[0]?.text).toContain(`/alerts/${ids[0]}`);
  expect(posted[0]?.text).not.toContain(`/alerts/${ids[1]}`);
  await postgres().db.delete(userRoles).where(eq(userRoles.userId, id));
  expect((await attemptOf(digest)).result).toBe("never");
});

test("what waits comes with the digest at its new time", async () => {
  const { fire, node } = await crossing();
  const { id, email } = await person(node, choice("digest"));
  await fire();
  const who = { userId: id, nowMs: world.nowMs, check: () => undefined };
  await changePreferences(postgres(), who, { digest: { at: "18:30", tz: "Asia/Kolkata" } });
  await sendDigests(source(), Date.parse("2026-03-10T12:59:59Z"));
  expect(await sentTo(email)).toEqual([]);
  await sendDigests(source(), Date.parse("2026-03-10T13:00:00Z"));
  expect((await sentTo(email)).length).toBe(1);
});

test("a notification too late for a digest that is already sent comes in one of its own", async () => {
  const { fire, node } = await crossing();
  const { id, email } = await person(node, choice("digest"));
  await fire();
  const [entry] = await waitingFor(id);
  if (!entry) throw new Error("nothing waits");
  await sendDigests(source(), slotMs);
  await postgres().db.insert(digestEntries).values(entry);
  await sendDigests(source(), slotMs + 1);
  expect([(await waitingFor(id)).length, (await sentTo(email)).length]).toEqual([0, 2]);
});

test("another time of the digest moves what waits, an alert that waits twice too, and never what is due", async () => {
  const { fire, node } = await crossing();
  const { id } = await person(node, choice("digest"));
  await fire();
  const [entry] = await waitingFor(id);
  if (!entry) throw new Error("nothing waits");
  const overdue = new Date(usualMs - dayMs);
  const twice = [overdue, new Date(slotMs + dayMs)].map((dueAt) => ({ ...entry, dueAt }));
  await postgres().db.insert(digestEntries).values(twice);
  const who = { userId: id, nowMs: usualMs, check: () => undefined };
  const dueNow = async () => (await waitingFor(id)).map(({ dueAt }) => dueAt.toISOString()).sort();
  const before = await dueNow();
  await changePreferences(postgres(), who, { digest: { at: "08:00", tz: "UTC" } });
  expect(await dueNow()).toEqual(before);
  await changePreferences(postgres(), who, { digest: { at: "18:30", tz: "Asia/Kolkata" } });
  expect(await dueNow()).toEqual([overdue.toISOString(), "2026-03-10T13:00:00.000Z"]);
});

test.each([
  ["08:00", "UTC", "2026-03-10T08:00:00Z", "2026-03-11T08:00:00.000Z"],
  ["08:00", "UTC", "2026-03-10T07:59:59Z", "2026-03-10T08:00:00.000Z"],
  ["02:30", "Europe/Paris", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00.000Z"],
  ["02:30", "Europe/Paris", "2026-10-24T23:00:00Z", "2026-10-25T00:30:00.000Z"],
  ["02:30", "Europe/Paris", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00.000Z"],
  ["23:59", "Pacific/Apia", "2026-03-10T12:00:00Z", "2026-03-11T10:59:00.000Z"],
])("the digest of %s in %s after %s comes at %s, once a day", (at, tz, after, expected) => {
  expect(new Date(nextDigestMs({ at, tz }, Date.parse(after))).toISOString()).toBe(expected);
});
