/** How channels are edited and the log of deliveries is read, in the world of deliveries.test.ts. */
import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import type { DeliveryWorld } from "../support/delivery-world.ts";

export function editsAndLog(world: () => DeliveryWorld): void {
  test("the log is paged, filtered by alert, channel and state, and channels by kind; a stale edit is refused", async () => {
    const { id: hook } = await world().webhook("/paged");
    const ids = (await Promise.all([1, 2, 3].map(() => world().enqueue([hook])))).flat();
    for (const id of ids) await world().once(id, ({ state }) => state === "sent");
    const first = (await world().ask("GET", `/v1/deliveries?channel=${hook}&state=sent&alert=alr_1&limit=2`)).body;
    expect(first.deliveries).toHaveLength(2);
    const path = `/v1/deliveries?channel=${hook}&state=sent&alert=alr_1&limit=2&cursor=${first.next_cursor}`;
    const second = (await world().ask("GET", path)).body;
    expect(second.next_cursor).toBeNull();
    const seen = [...first.deliveries, ...second.deliveries].map(({ id }: { id: string }) => id);
    expect(seen.sort()).toEqual(ids.sort());
    expect((await world().ask("GET", `/v1/deliveries?channel=${hook}&state=failed`)).body.deliveries).toEqual([]);
    expect((await world().ask("GET", `/v1/deliveries?channel=${hook}&cursor=${first.next_cursor}`)).status).toBe(400);
    const page = (await world().ask("GET", "/v1/channels?kind=webhook&limit=1")).body;
    expect(page.channels).toHaveLength(1);
    const next = (await world().ask("GET", `/v1/channels?kind=webhook&limit=1&cursor=${page.next_cursor}`)).body;
    expect(next.channels[0].id).not.toBe(page.channels[0].id);
    const etag = (await world().ask("GET", `/v1/channels/${hook}`)).headers.get("etag") ?? "";
    const rename = (name: string) =>
      world().ask("PATCH", `/v1/channels/${hook}`, { body: { name }, headers: { "if-match": etag } });
    expect((await rename("A")).status).toBe(200);
    expect((await rename("B")).status).toBe(412);
  });

  test("the request of a delivery is shown as it is sent, signed, and only to who may change its channel", async () => {
    const { id: hook, secret } = await world().webhook("/shown");
    const [id = ""] = await world().enqueue([hook]);
    await world().once(id, ({ state }) => state === "sent");
    const [sent] = world().receivedAt("/shown");
    const { request } = (await world().ask("GET", `/v1/deliveries/${id}`)).body;
    expect(request).toMatchObject({
      url: `${world().receiver.url}/shown`,
      body: sent?.body,
      headers: { "webhook-id": id },
    });
    new Webhook(secret).verify(request.body, request.headers);
    expect(JSON.stringify(request)).not.toContain(secret);
    const { key } = await world().accounts.makeKey("organization:acme", ["read"]);
    expect((await world().ask("GET", `/v1/deliveries/${id}`, { key })).body).toMatchObject({ id, request: null });
    const [report = ""] = await world().enqueue([hook], { type: "report" } as object);
    expect((await world().ask("GET", `/v1/deliveries/${report}`)).body).toMatchObject({
      type: "report",
      request: null,
    });
    expect((await world().ask("DELETE", `/v1/channels/${hook}`)).status).toBe(204);
    expect((await world().ask("GET", `/v1/deliveries/${id}`)).body).toMatchObject({ id, request: null });
  });

  test.each([
    [{ kind: "webhook", url: "http://169.254.169.254/" }, "url"],
    [{ kind: "webhook", url: "http://167772161/" }, "url"],
    [{ kind: "slack", url: "http://[::1]/" }, "url"],
    [{ kind: "webhook", url: "https://user:pass@example.com/" }, "url"],
    [{ kind: "sms", to: ["0151 1234"] }, "to.0"],
    [{ kind: "sms", to: ["+0151123456"] }, "to.0"],
    [{ kind: "email", to: ["nobody"] }, "to.0"],
    [{ kind: "email", to: ["a@example.com\r\nBcc: b@example.com"] }, "to.0"],
    [{ kind: "email", to: [] }, "to"],
    [{ kind: "email", to: ["a@example.com", "A@example.com"] }, "to"],
    [{ kind: "email", to: ["a@example.com"], url: "https://example.com/" }, "url"],
    [{ kind: "pager" }, "kind"],
  ])("a channel that could not work is refused by field: %j", async (body, field) => {
    const answer = await world().make({ name: "x", ...body });
    expect([answer.status, answer.body.field]).toEqual([400, field]);
  });

  test("an edit that does not fit the kind is refused by field, and a channel of mail has no secret", async () => {
    const mail = (await world().make({ kind: "email", name: "Fits", to: ["f@example.com"] })).body;
    for (const [body, field] of [
      [{ url: "https://example.com/" }, "url"],
      [{ monthly_cap: 3 }, "monthly_cap"],
      [{ to: ["+4915112345678"] }, "to"],
      [{ kind: "sms" }, "kind"],
    ] as const) {
      const answer = await world().ask("PATCH", `/v1/channels/${mail.id}`, { body });
      expect([answer.status, answer.body.field]).toEqual([400, field]);
    }
    expect((await world().ask("POST", `/v1/channels/${mail.id}/rotate-secret`)).status).toBe(400);
  });

  test("a delivery is sent again, and a channel tested, only as the caller saw it", async () => {
    const { id: hook } = await world().webhook("/seen");
    const [id = ""] = await world().enqueue([hook]);
    await world().once(id, ({ state }) => state === "sent");
    const etagOf = async (path: string) => (await world().ask("GET", path)).headers.get("etag") ?? "";
    const post = async (path: string, etag: string) =>
      (await world().ask("POST", path, { headers: { "if-match": etag } })).status;
    const [delivery, channel] = [`/v1/deliveries/${id}`, `/v1/channels/${hook}`];
    const [seen, seenChannel] = [await etagOf(delivery), await etagOf(channel)];
    expect([seen, seenChannel]).not.toContain("");
    expect(await post(`${delivery}/resend`, '"of before"')).toBe(412);
    expect(await post(`${delivery}/resend`, seen)).toBe(202);
    expect(await post(`${channel}/test`, seenChannel)).toBe(202);
    await world().ask("PATCH", channel, { body: { name: "Renamed" } });
    expect(await post(`${channel}/test`, seenChannel)).toBe(412);
  });
}
