/** How many SMS leave, and how many addresses of strangers are put on channels, in the world of deliveries.test.ts. */
import { readFile } from "node:fs/promises";
import { eq, sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { smsSent } from "../../server/postgres/schema/delivery.ts";
import type { DeliveryWorld } from "../support/delivery-world.ts";

const isSent = ({ state }: { state: string }) => state === "sent";
const isGivenUp = ({ state }: { state: string }) => state === "given_up";

export function capsOfDeliveries(world: () => DeliveryWorld): void {
  test("no more SMS leave than the month's cap of the channel, and what was not taken does not count", async () => {
    const sms = (await world().make({ kind: "sms", name: "Few", to: ["+4915112345678"], monthly_cap: 1 })).body;
    world().receiver.answers.splice(0, 1, { status: 500 }, { status: 201 });
    const [first = ""] = await world().enqueue([sms.id]);
    await world().once(first, ({ state }) => state === "failed");
    expect((await world().ask("GET", `/v1/channels/${sms.id}`)).body).toMatchObject({
      sent_this_month: 0,
      monthly_cap: 1,
    });
    await world().hasten(first);
    await world().once(first, isSent);
    const [second = ""] = await world().enqueue([sms.id]);
    expect((await world().once(second, isGivenUp)).attempts).toMatchObject([
      { excerpt: expect.stringContaining("limit") },
    ]);
    expect((await world().ask("GET", `/v1/channels/${sms.id}`)).body.sent_this_month).toBe(1);
  });

  test("no more SMS leave than the month's caps of the tenant and of the installation, whichever channels come and go", async () => {
    const caps = world().deps.sms?.caps ?? { ofTenant: 0, ofAll: 0 };
    const usual = { ...caps };
    const { db } = world().accounts.postgres;
    const sentOf = async (tenant: string) =>
      (await db.select().from(smsSent).where(eq(smsSent.tenant, tenant)))[0]?.sent ?? 0;
    const send = async () => {
      const sms = (await world().make({ kind: "sms", name: "New", to: ["+4915112345678"] })).body;
      const [id = ""] = await world().enqueue([sms.id]);
      const { state, attempts } = await world().once(id, (one) => isSent(one) || isGivenUp(one));
      expect((await world().ask("DELETE", `/v1/channels/${sms.id}`)).status).toBe(204);
      return state === "sent" ? state : attempts.at(-1)?.excerpt;
    };
    caps.ofTenant = (await sentOf("reseller:r1")) + 1;
    expect([await send(), await send()]).toEqual(["sent", "the tenant's limit for this month is reached"]);
    const inAll = await sentOf("all");
    expect(await sentOf("reseller:r1")).toBe(caps.ofTenant);
    Object.assign(caps, { ofTenant: usual.ofTenant, ofAll: inAll });
    expect(await send()).toBe("the installation's limit for this month is reached");
    expect([await sentOf("reseller:r1"), await sentOf("all")]).toEqual([inAll, inAll]);
    Object.assign(caps, usual);
  });

  test("an upgrade in the middle of a month counts what was sent in it before, of the tenant and of all", async () => {
    const { db } = world().accounts.postgres;
    const sms = (await world().make({ kind: "sms", name: "Before", to: ["+4915112345678"] })).body;
    const [id = ""] = await world().enqueue([sms.id]);
    await world().once(id, isSent);
    const counted = () => db.select().from(smsSent).orderBy(smsSent.tenant);
    const before = await counted();
    expect(before.map(({ tenant }) => tenant)).toEqual(["all", "reseller:r1"]);
    const migration = await readFile("server/postgres/migrations/0050_sms_sent_so_far.sql", "utf8");
    await db.delete(smsSent);
    for (let times = 0; times < 2; times++) await db.execute(sql.raw(migration));
    expect(await counted()).toEqual(before);
  });

  test("what is sent again to an address or a number counts, whichever deliveries it was", async () => {
    const to = "again-and-again@example.com";
    const { id: channel } = (await world().make({ kind: "email", name: "Again", to: [to] })).body;
    const statuses: number[] = [];
    for (const [first = ""] of [await world().enqueue([channel]), await world().enqueue([channel])]) {
      await world().once(first, isSent);
      for (let times = 0; times < 6; times++) {
        statuses.push((await world().ask("POST", `/v1/deliveries/${first}/resend`)).status);
        await world().once(first, isSent);
      }
    }
    expect(statuses).toEqual([...Array(10).fill(202), ...Array(2).fill(429)]);
  });

  test("a number gets so many tests an hour, whosever the channel is", async () => {
    const number = "+4915187654321";
    while (await world().deps.mailLimits.mayTest(number));
    const sms = (await world().make({ kind: "sms", name: "Tested", to: [number] })).body;
    const { body } = await world().ask("POST", `/v1/channels/${sms.id}/test`);
    expect((await world().once(body.delivery, ({ state }) => state === "given_up")).attempts).toMatchObject([
      { excerpt: "too many tests were sent to this number within an hour" },
    ]);
  });

  test("so many addresses of strangers are put on channels within an hour, who has mails already uncounted; the refusal names the field", async () => {
    const { key } = await world().accounts.makeKey("organization:beside");
    const strangers = (from: number, count: number) =>
      Array.from({ length: count }, (_, n) => `stranger-${from + n}@elsewhere.example`);
    const make = async (to: string[]) =>
      await world().accounts.ask("POST", "/v1/channels", { key, body: { kind: "email", name: "Many", to } });
    const first = await make(strangers(0, 50));
    expect([first.status, (await make(strangers(50, 50))).status]).toEqual([201, 201]);
    const refused = { status: 429, body: { code: "too_fast", field: "to" } };
    expect(await make(strangers(100, 1))).toMatchObject(refused);
    const edit = async (to: string[]) =>
      await world().accounts.ask("PATCH", `/v1/channels/${first.body.id}`, { key, body: { to } });
    expect(await edit([...strangers(0, 10), ...strangers(100, 1)])).toMatchObject(refused);
    expect([(await edit(strangers(0, 10))).status, (await make(strangers(50, 20))).status]).toEqual([200, 201]);
  });
}
