/** The outbox and what leaves it: each message once, as it was written, to whom it is for, whatever fails in between. */
import { eq, inArray } from "drizzle-orm";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { alertSchema } from "../../server/contract/alerts.ts";
import { attempt } from "../../server/delivery/attempt.ts";
import { Courier } from "../../server/delivery/courier.ts";
import { enqueueDeliveries, enqueueMail } from "../../server/delivery/enqueue.ts";
import { claimDue, countByState } from "../../server/delivery/outbox.ts";
import { deliveries } from "../../server/postgres/schema/delivery.ts";
import { createTelemetry } from "../../server/telemetry/telemetry.ts";
import { type DeliveryWorld, startDeliveryWorld } from "../support/delivery-world.ts";
import { boundsOfDeliveries } from "./delivery-bounds.ts";
import { capsOfDeliveries } from "./delivery-caps.ts";
import { editsAndLog } from "./delivery-log.ts";

let world: DeliveryWorld;
beforeAll(async () => {
  world = await startDeliveryWorld();
});
afterAll(() => world.close());
beforeEach(() => {
  world.receiver.received.length = 0;
  world.receiver.answers.splice(0, Number.POSITIVE_INFINITY, { status: 200, body: "thanks" });
  world.mailbox.mails.length = 0;
});

const ask: DeliveryWorld["ask"] = (...request) => world.ask(...request);
const webhook: DeliveryWorld["webhook"] = (path) => world.webhook(path);
const received: DeliveryWorld["receivedAt"] = (path) => world.receivedAt(path);
const isSent = ({ state }: { state: string }) => state === "sent";
const isGivenUp = ({ state }: { state: string }) => state === "given_up";

test("an alert reaches each address of each kind of channel, once, in the form of the kind", async () => {
  const { id: hook, secret } = await webhook("/kinds");
  const mail = (await world.make({ kind: "email", name: "Ops", to: ["a@example.com", "b@example.com"] })).body;
  const slack = (await world.make({ kind: "slack", name: "Slack", url: `${world.receiver.url}/services/T0/secret` }))
    .body;
  const sms = (await world.make({ kind: "sms", name: "Phones", to: ["+4915112345678"] })).body;
  const ids = await world.enqueue([hook, mail.id, slack.id, sms.id]);
  expect(ids).toHaveLength(5);
  const sent = await Promise.all(ids.map((id) => world.once(id, isSent)));
  for (const one of sent) expect(one).toMatchObject({ alert: "alr_1", next_attempt_at: null, attempts: [{}] });

  const [posted] = received("/kinds");
  expect(posted?.headers["webhook-id"]).toBe(sent.find(({ channel }) => channel === hook)?.id);
  const body = new Webhook(secret).verify(posted?.body ?? "", posted?.headers as Record<string, string>);
  expect(body).toMatchObject({ type: "alert.firing", data: { id: "alr_1", value: "91.5", node: "organization:acme" } });
  expect(Date.parse((body as { timestamp: string }).timestamp)).toBeGreaterThan(0);

  expect(world.mailbox.mails.map(({ to }) => to?.[0]?.address).sort()).toEqual(["a@example.com", "b@example.com"]);
  const [letter] = world.mailbox.mails;
  expect(letter?.subject).toBe("Minutes: acme has used 91.5 of 100");
  expect(letter?.html).toContain('href="https://usage.example.com/alerts/alr_1?a=1&amp;b=2"');
  expect(letter?.html).toContain("prefers-color-scheme: dark");
  expect(letter?.text).toContain("https://usage.example.com/alerts/alr_1?a=1&b=2");
  expect(ids).toContain(/^<(\w+)@/.exec(letter?.messageId ?? "")?.[1]);

  const [slacked] = received("/services/T0/secret");
  expect(JSON.parse(slacked?.body ?? "")).toMatchObject({
    text: expect.stringContaining("91.5"),
    blocks: [{}, {}, {}],
  });
  const [texted] = received("/2010-04-01/Accounts/AC1/Messages.json");
  expect(Object.fromEntries(new URLSearchParams(texted?.body))).toMatchObject({
    To: "+4915112345678",
    From: "+14155550100",
  });
  expect(texted?.headers.authorization).toBe(`Basic ${btoa("AC1:of the provider")}`);
});

test("a delivery exists with the change that it reports or not at all, and the same message is written once", async () => {
  const { id: hook } = await webhook("/once");
  await expect(
    world.accounts.postgres.transaction(async (tx) => {
      const alert = { id: "alr_2", node: "organization:acme", url: "https://usage.example.com/" };
      await enqueueDeliveries(
        tx,
        [{ type: "alert.firing", alert, channels: [hook], subject: "", lines: [] }],
        world.accounts.tree,
      );
      throw new Error("the alert could not be changed");
    }),
  ).rejects.toThrow("could not be changed");
  const [id = ""] = await world.enqueue([hook], { once: "alr_3 firing" });
  expect(await world.enqueue([hook], { once: "alr_3 firing" })).toEqual([]);
  await world.once(id, isSent);
  expect(received("/once")).toHaveLength(1);
});

test("a failing delivery is tried eight times with growing pauses, under one id and with one body, then given up", async () => {
  const { id: hook } = await webhook("/failing");
  world.receiver.answers.splice(0, 1, { status: 503, body: "not\u0000now" });
  const [id = ""] = await world.enqueue([hook]);
  const pausesMs: number[] = [];
  for (let tries = 1; tries < 8; tries++) {
    const { attempts, next_attempt_at } = await world.once(
      id,
      (one) => one.state === "failed" && one.attempts.length === tries,
    );
    pausesMs.push(Date.parse(next_attempt_at ?? "") - Date.parse(attempts.at(-1)?.at ?? ""));
    await world.hasten(id);
  }
  const { attempts, next_attempt_at } = await world.once(id, isGivenUp);
  expect(next_attempt_at).toBeNull();
  expect(attempts.map(({ status, excerpt }) => [status, excerpt])).toEqual(Array(8).fill([503, "not now"]));
  for (const [index, pauseMs] of pausesMs.entries()) expect(pauseMs).toBeGreaterThan(pausesMs[index - 1] ?? 0);
  expect(pausesMs.reduce((sum, one) => sum + one, 0)).toBeLessThan(24 * 3_600_000);
  const requests = received("/failing");
  expect(new Set(requests.map(({ headers }) => headers["webhook-id"]))).toEqual(new Set([id]));
  expect(new Set(requests.map(({ body }) => body)).size).toBe(1);

  world.receiver.answers.splice(0, 1, { status: 204 });
  expect((await ask("POST", `/v1/deliveries/${id}/resend`)).status).toBe(202);
  expect((await world.once(id, isSent)).attempts).toHaveLength(9);
});

test("a receiver that answers 410 is asked no more, by this and by what comes after, until it is switched on again", async () => {
  const { id: hook } = await webhook("/gone");
  world.receiver.answers.splice(0, 1, { status: 410 });
  const [first = ""] = await world.enqueue([hook]);
  await world.once(first, isGivenUp);
  const channel = (await ask("GET", `/v1/channels/${hook}`)).body;
  expect(channel).toMatchObject({ enabled: false, disabled_because: expect.stringContaining("410") });
  expect(await world.enqueue([hook])).toEqual([]);
  expect((await ask("POST", `/v1/deliveries/${first}/resend`)).status).toBe(409);
  expect((await ask("POST", `/v1/channels/${hook}/test`)).status).toBe(409);
  expect(received("/gone")).toHaveLength(1);
  world.receiver.answers.splice(0, 1, { status: 200 });
  await ask("PATCH", `/v1/channels/${hook}`, { body: { enabled: true } });
  const tested = await ask("POST", `/v1/channels/${hook}/test`);
  expect(tested.status).toBe(202);
  await world.once(tested.body.delivery, isSent);
  const test = JSON.parse(received("/gone")[1]?.body ?? "");
  expect(test).toMatchObject({ type: "channel.test", data: { channel: hook } });
  expect(z.strictObject({ ...alertSchema.shape, channel: z.string() }).parse(test.data)).toEqual(test.data);
});

test("a redirect is not followed and is no success", async () => {
  const { id: hook } = await webhook("/moved");
  world.receiver.answers.splice(0, 1, { status: 302, headers: { location: `${world.receiver.url}/elsewhere` } });
  const [id = ""] = await world.enqueue([hook]);
  const { attempts } = await world.once(id, ({ state }) => state === "failed");
  expect(attempts).toMatchObject([{ status: 302, excerpt: "redirects are not followed" }]);
  expect(received("/elsewhere")).toEqual([]);
});

test("a delivery whose process died before it could record it is sent again under the same id, and no other is", async () => {
  const { id: hook } = await webhook("/killed");
  const mail = (await world.make({ kind: "email", name: "Killed", to: ["k@example.com"] })).body;
  await world.courier.close();
  const ids = await world.enqueue([hook, mail.id]);
  // As the process that dies does it, up to the note.
  const claimed = await claimDue(world.accounts.postgres, 10);
  expect(claimed.map(({ id }) => id).sort()).toEqual([...ids].sort());
  for (const row of claimed) expect((await attempt(world.deps, row)).result).toBe("sent");
  expect(await claimDue(world.accounts.postgres, 10)).toEqual([]);
  await world.accounts.postgres.pool.query("UPDATE deliveries SET claimed_until = now() WHERE claim IS NOT NULL");
  world.courier = new Courier(world.deps);
  world.courier.wake();
  for (const id of ids) expect((await world.once(id, isSent)).attempts).toHaveLength(1);
  const requests = received("/killed");
  expect(requests).toHaveLength(2);
  expect(requests[1]?.headers["webhook-id"]).toBe(requests[0]?.headers["webhook-id"]);
  expect(requests[1]?.body).toBe(requests[0]?.body);
  expect(world.mailbox.mails).toHaveLength(2);
  expect(new Set(world.mailbox.mails.map(({ messageId }) => messageId)).size).toBe(1);
});

test("several couriers at once send each delivery once", async () => {
  const { id: hook } = await webhook("/many");
  const others = [new Courier(world.deps), new Courier(world.deps)];
  try {
    const ids = (await Promise.all(Array.from({ length: 40 }, () => world.enqueue([hook])))).flat();
    for (const one of [...others, world.courier]) one.wake();
    for (const id of ids) await world.once(id, isSent);
    expect(
      received("/many")
        .map(({ headers }) => headers["webhook-id"])
        .sort(),
    ).toEqual(ids.sort());
  } finally {
    await Promise.all(others.map((one) => one.close()));
  }
});

test("after a rotation every former secret verifies for a day, then the new one alone; a message with any byte changed is refused", async () => {
  const { id: hook, secret: before } = await webhook("/rotated");
  const rotated = await ask("POST", `/v1/channels/${hook}/rotate-secret`);
  expect(rotated.status).toBe(200);
  const { secret: now, old_secret_until } = rotated.body;
  expect(now).toMatch(/^whsec_/);
  expect(now).not.toBe(before);
  expect(Math.abs(Date.parse(old_secret_until) - Date.now() - 24 * 3_600_000)).toBeLessThan(60_000);
  const [first = ""] = await world.enqueue([hook]);
  await world.once(first, isSent);
  const [request] = received("/rotated");
  const { body = "", headers } = request ?? {};
  const signed = headers as Record<string, string>;
  for (const secret of [before, now]) new Webhook(secret).verify(body, signed);
  const bytes = Buffer.from(body);
  for (const secret of [before, now])
    for (let index = 0; index < bytes.length; index++) {
      const changed = Buffer.from(bytes);
      changed[index] = (changed[index] ?? 0) ^ 1;
      expect(() => new Webhook(secret).verify(changed, signed), `byte ${index}`).toThrow();
    }
  for (const name of ["webhook-id", "webhook-timestamp"])
    expect(() => new Webhook(now).verify(body, { ...signed, [name]: `${signed[name]}1` })).toThrow();

  await world.accounts.postgres.pool.query("UPDATE channels SET old_secret_until = now() WHERE id = $1", [hook]);
  const [second = ""] = await world.enqueue([hook]);
  await world.once(second, isSent);
  const later = received("/rotated")[1];
  new Webhook(now).verify(later?.body ?? "", later?.headers as Record<string, string>);
  expect(() => new Webhook(before).verify(later?.body ?? "", later?.headers as Record<string, string>)).toThrow();
  const secrets = [now];
  for (let time = 0; time < 2; time++)
    secrets.push((await ask("POST", `/v1/channels/${hook}/rotate-secret`)).body.secret);
  const [third = ""] = await world.enqueue([hook]);
  await world.once(third, isSent);
  const last = received("/rotated")[2];
  for (const secret of secrets) new Webhook(secret).verify(last?.body ?? "", last?.headers as Record<string, string>);
});

test("secrets are shown once, and stand neither in the database, nor in answers, nor in the audit", async () => {
  const { id: hook, secret, ...rest } = await webhook("/secret-path");
  expect(JSON.stringify(rest)).not.toContain("whsec_");
  const slackUrl = `${world.receiver.url}/services/T1/B1/xoxsecret`;
  const slack = (await world.make({ kind: "slack", name: "S", url: slackUrl })).body;
  const { secret: rotated } = (await ask("POST", `/v1/channels/${hook}/rotate-secret`)).body;
  const reader = (await world.accounts.makeKey("organization:acme", ["read"])).key;
  const shown = await Promise.all(
    [`/v1/channels/${hook}`, `/v1/channels/${slack.id}`, "/v1/channels?limit=1000", "/v1/deliveries"].map((path) =>
      world.accounts.ask("GET", path, { key: reader }),
    ),
  );
  const { rows } = await world.accounts.postgres.pool.query(
    "SELECT convert_from(decode(replace(encode(sealed, 'hex'), '00', '01'), 'hex'), 'LATIN1') AS text FROM channels WHERE sealed IS NOT NULL UNION ALL SELECT coalesce(before, '') || coalesce(after, '') FROM audit_entries",
  );
  const everything = JSON.stringify([shown.map(({ body }) => body), rows]);
  for (const one of [secret.slice(6), rotated.slice(6), "xoxsecret"]) expect(everything).not.toContain(one);
  expect(everything).toContain("[redacted]");
  expect((await ask("GET", `/v1/channels/${slack.id}`)).body.url).toBe(slackUrl);
});

test("names that users gave are text and nothing else, in every kind of message", async () => {
  const { id: hook } = await webhook("/inert");
  const mail = (await world.make({ kind: "email", name: "M", to: ["inert@example.com"] })).body;
  const slack = (await world.make({ kind: "slack", name: "S", url: `${world.receiver.url}/inert-slack` })).body;
  const sms = (await world.make({ kind: "sms", name: "P", to: ["+4915112345678"] })).body;
  const evil =
    'Acme\r\nBcc: victim@example.com\r\n\r\n<img src=x onerror=alert(1)> <!channel> *b* "q" & \u202Egnp\u2028';
  const ids = await world.enqueue([hook, mail.id, slack.id, sms.id], { subject: evil, lines: [evil] });
  for (const id of ids) await world.once(id, isSent);
  const [letter] = world.mailbox.mails;
  expect(letter?.to).toEqual([{ name: "", address: "inert@example.com" }]);
  expect([letter?.bcc, letter?.cc]).toEqual([undefined, undefined]);
  expect(letter?.subject).not.toMatch(/[\r\n\u202e\u2028]/);
  expect(letter?.html).not.toContain("<img");
  expect(letter?.html).toContain("&lt;img src=x onerror=alert(1)&gt;");
  const { text, blocks } = JSON.parse(received("/inert-slack")[0]?.body ?? "");
  for (const shown of [text, blocks[0].text.text, blocks[1].text.text]) expect(shown).not.toMatch(/[<>\n]/);
  expect([blocks[0].text.type, blocks[1].text.type]).toEqual(["plain_text", "plain_text"]);
  const texted = received("/2010-04-01/Accounts/AC1/Messages.json")[0]?.body;
  expect(new URLSearchParams(texted).get("Body")).not.toMatch(/\p{Cc}/u);
});

test("following the link of a mail ends that channel's mails, and the same link brings them back", async () => {
  const mail = (await world.make({ kind: "email", name: "List", to: ["Stay@example.com", "Leave@example.com"] })).body;
  for (const id of await world.enqueue([mail.id])) await world.once(id, isSent);
  const leaving = world.mailbox.mails.find(({ to }) => to?.[0]?.address === "Leave@example.com");
  const header = (name: string) => leaving?.headers.find(({ key }) => key === name)?.value;
  expect(header("list-unsubscribe-post")).toBe("List-Unsubscribe=One-Click");
  const link = /^<(.*)>$/.exec(header("list-unsubscribe") ?? "")?.[1] ?? "";
  expect(link).toMatch(new RegExp(`^${world.accounts.url}/v1/unsubscribe/`));
  expect((await fetch(link)).status).toBe(200);
  expect((await world.enqueue([mail.id])).length).toBe(2);
  const form = { method: "POST", body: new URLSearchParams({ "List-Unsubscribe": "One-Click" }) };
  for (const _ of [1, 2]) expect((await fetch(link, form)).status).toBe(200);
  expect((await fetch(`${link.slice(0, -3)}AAA`, form)).status).toBe(404);
  expect((await ask("GET", `/v1/channels/${mail.id}`)).body.unsubscribed).toEqual(["leave@example.com"]);
  expect((await world.enqueue([mail.id])).length).toBe(1);
  expect((await fetch(`${link}?again=true`, form)).status).toBe(200);
  expect((await world.enqueue([mail.id])).length).toBe(2);
});

test("a channel gets messages about its own node and those below, also when that changes after the message was written", async () => {
  const { id: hook } = await webhook("/below");
  const enqueue = (node: string) =>
    world.enqueue([hook], { alert: { id: "alr_9", node, url: "https://usage.example.com/" } });
  for (const node of ["organization:beside", "reseller:r1", "all"]) expect(await enqueue(node)).toEqual([]);
  await world.courier.close();
  const [id = ""] = await enqueue("organization:acme");
  const moved = new Courier({ ...world.deps, tree: { isWithin: () => false, ancestors: (node) => [node] } });
  moved.wake();
  const { attempts } = await world.once(id, isGivenUp);
  await moved.close();
  expect(attempts[0]?.excerpt).toMatch(/is no longer below/);
  expect(received("/below")).toEqual([]);
  world.courier = new Courier(world.deps);
});

test("an address that was taken off a channel, and a channel that was removed, get nothing that still waits", async () => {
  const mail = (await world.make({ kind: "email", name: "Left", to: ["x@example.com", "y@example.com"] })).body;
  await world.courier.close();
  const ids = await world.enqueue([mail.id]);
  await ask("PATCH", `/v1/channels/${mail.id}`, { body: { to: ["y@example.com"] } });
  world.courier = new Courier(world.deps);
  world.courier.wake();
  const sent = await Promise.all(ids.map((id) => world.once(id, (one) => isSent(one) || isGivenUp(one))));
  expect(sent.map(({ to, state }) => [to, state]).sort()).toEqual([
    ["x@example.com", "given_up"],
    ["y@example.com", "sent"],
  ]);
  const unwanted = await world.accounts.postgres.db.select().from(deliveries).where(inArray(deliveries.id, ids));
  expect(unwanted.map(({ givenUpAt }) => givenUpAt)).toEqual([null, null]);
  expect(world.mailbox.mails).toHaveLength(1);
  expect((await ask("DELETE", `/v1/channels/${mail.id}`)).status).toBe(204);
  expect((await ask("GET", `/v1/deliveries?channel=${mail.id}`)).body.deliveries[0]).toMatchObject({
    channel_name: null,
  });
});

test("mail with files reaches addresses that no channel has, with the files as they were", async () => {
  const content = Buffer.from([0, 1, 2, 255]);
  const mail = {
    type: "report",
    node: "organization:acme",
    to: ["r@example.com"],
    list: "sch_1",
    subject: "Usage",
  } as const;
  const file = { filename: "usage.pdf", contentType: "application/pdf", content };
  const write = () =>
    world.accounts.postgres.transaction((tx) =>
      enqueueMail(tx, world.accounts.tree, {
        ...mail,
        lines: ["Attached."],
        url: "https://usage.example.com/",
        button: "Open",
        attachments: [file],
        once: "slot",
      }),
    );
  const [id = ""] = await write();
  expect(await write()).toEqual([]);
  await world.once(id, isSent);
  const [got] = world.mailbox.mails[0]?.attachments ?? [];
  expect([got?.filename, got?.mimeType]).toEqual(["usage.pdf", "application/pdf"]);
  expect(Buffer.from(got?.content as ArrayBuffer)).toEqual(content);
});

test("a mail server that is away is asked again, and a refusal of the address is final", async () => {
  const mail = (await world.make({ kind: "email", name: "Away", to: ["away@example.com"] })).body;
  await world.courier.close();
  const refusing = (error: object) =>
    new Courier({
      ...world.deps,
      mailer: { send: () => Promise.reject(Object.assign(new Error("no"), error)), close() {} },
    });
  for (const [error, state] of [
    [{ code: "ECONNREFUSED" }, "failed"],
    [{ responseCode: 451 }, "failed"],
    [{ responseCode: 535, code: "EAUTH" }, "failed"],
    [{ responseCode: 550 }, "given_up"],
  ] as const) {
    const courier = refusing(error);
    const [id = ""] = await world.enqueue([mail.id]);
    await world.once(id, (one) => one.state === state);
    const [row] = await world.accounts.postgres.db.select().from(deliveries).where(eq(deliveries.id, id));
    expect(row?.givenUpAt !== null).toBe(state === "given_up");
    await courier.close();
  }
  world.courier = new Courier(world.deps);
});

test("Prometheus gets the deliveries by state", async () => {
  const telemetry = createTelemetry();
  telemetry.read("deliveries", () => countByState(world.accounts.postgres));
  telemetry.deliveryAttempted("webhook", "sent");
  const { text } = await telemetry.exposition();
  for (const state of ["waiting", "sent", "failed", "given_up"])
    expect(text).toMatch(new RegExp(`^tidemark_deliveries\\{state="${state}"\\} \\d+$`, "m"));
  expect(text).toContain('tidemark_delivery_attempts_total{kind="webhook",result="sent"} 1');
});

editsAndLog(() => world);
boundsOfDeliveries(() => world);
capsOfDeliveries(() => world);
