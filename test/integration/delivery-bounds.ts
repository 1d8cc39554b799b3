/** How often messages leave, and to whom an address is shown, in the world of deliveries.test.ts. */
import { count, eq, inArray, sql } from "drizzle-orm";
import { expect, test, vi } from "vitest";
import { notifyDue } from "../../server/alerts/notify.ts";
import type { RuleRecord } from "../../server/alerts/rules.ts";
import type { NodeAddress } from "../../server/contract/nodes.ts";
import { Courier } from "../../server/delivery/courier.ts";
import { enqueueMail } from "../../server/delivery/enqueue.ts";
import { claimDue, notePace } from "../../server/delivery/outbox.ts";
import { alerts } from "../../server/postgres/schema/alerts.ts";
import { deliveries } from "../../server/postgres/schema/delivery.ts";
import type { DeliveryWorld } from "../support/delivery-world.ts";
import { patienceMs } from "../support/patience.ts";

export function boundsOfDeliveries(world: () => DeliveryWorld): void {
  test("however many channels have an address, twenty tests an hour go to it, and those who ask are answered alike", async () => {
    const to = ["flooded@example.com"];
    const mailsTo = () => world().mailbox.mails.filter((mail) => mail.to?.[0]?.address === to[0]).length;
    const made: string[] = [];
    for (let channel = 0; channel < 3; channel++) {
      const { id } = (await world().make({ name: `to ${channel}`, kind: "email", to })).body;
      for (let test = 0; test < 10; test++) {
        const { status, body } = await world().ask("POST", `/v1/channels/${id}/test`);
        expect(status).toBe(202);
        made.push(body.delivery);
      }
    }
    const settled = await Promise.all(
      made.map((id) => world().once(id, ({ state }) => state === "sent" || state === "given_up")),
    );
    expect(settled.filter(({ state }) => state === "sent")).toHaveLength(20);
    expect(mailsTo()).toBe(20);
    const [elsewhere = ""] = await world().enqueue([
      (await world().make({ name: "alerts", kind: "email", to })).body.id,
    ]);
    await world().once(elsewhere, ({ state }) => state === "sent");
  });

  test("at most sixty mails about alerts reach an address from the channels of a tenant within an hour, however often one is sent again, and the others wait for theirs with all their tries", async () => {
    const to = "stormed@example.com";
    const [first, other] = [
      (await world().make({ kind: "email", name: "Storm", to: [to] })).body.id,
      (await world().make({ kind: "email", name: "Storm too", to: [to.toUpperCase(), "calm@example.com"] })).body.id,
    ];
    const { db } = world().deps.postgres;
    const storm: string[] = [];
    for (let n = 0; n < 31; n++) storm.push(...(await world().enqueue([first, other])));
    const ofStorm = sql`lower(${deliveries.to}) = ${to}`;
    const byState = async () =>
      await db
        .select({ state: deliveries.state, tries: deliveries.tries, count: count() })
        .from(deliveries)
        .where(ofStorm)
        .groupBy(deliveries.state, deliveries.tries)
        .orderBy(deliveries.state);
    const isDue = sql`${deliveries.dueAt} <= now()`;
    await expect.poll(async () => (await db.select().from(deliveries).where(isDue)).length).toBe(0);
    expect(await byState()).toEqual([
      { state: "sent", tries: 0, count: 60 },
      { state: "waiting", tries: 0, count: 2 },
    ]);
    expect(await db.select().from(deliveries).where(eq(deliveries.to, "calm@example.com"))).toHaveLength(31);
    const [held] = await db.select().from(deliveries).where(sql`${ofStorm} AND ${deliveries.state} = 'waiting'`);
    const waiting = await world().once(held?.id ?? "", ({ state }) => state === "waiting");
    expect(waiting.attempts).toMatchObject([{ excerpt: expect.stringContaining("within an hour") }]);
    expect(Date.parse(waiting.next_attempt_at ?? "")).toBeGreaterThan(Date.now() + 50 * 60_000);

    const [sent] = await db.select().from(deliveries).where(sql`${ofStorm} AND ${deliveries.state} = 'sent'`);
    expect((await world().ask("POST", `/v1/deliveries/${sent?.id}/resend`)).status).toBe(202);
    await world().once(sent?.id ?? "", (one) => Date.parse(one.next_attempt_at ?? "") > Date.now() + 50 * 60_000);
    const mailsTo = (address: string) =>
      world().mailbox.mails.filter((mail) => mail.to?.[0]?.address?.toLowerCase() === address).length;
    expect(mailsTo(to)).toBe(60);

    await db.execute(sql`UPDATE delivery_attempts SET at = at - interval '1 hour'
      WHERE delivery IN (SELECT id FROM deliveries WHERE ${ofStorm})`);
    await db.update(deliveries).set({ dueAt: sql`now()` }).where(sql`${ofStorm} AND ${deliveries.state} = 'waiting'`);
    world().courier.wake();
    await expect.poll(byState).toEqual([{ state: "sent", tries: 0, count: 62 }]);
    expect(mailsTo(to)).toBe(63);
  });

  test("mails about alerts from one tenant's channels take nothing of what another's may send to the address, those of all nothing of the person's own list", async () => {
    const { accounts, deps, enqueue } = world();
    const { db } = deps.postgres;
    const to = ["shared@example.com"];
    await accounts.tree.createNode({ kind: "reseller", id: "flood", name: "F", parent: "all" });
    const { key } = await accounts.makeKey("reseller:flood");
    const flooding = (await accounts.ask("POST", "/v1/channels", { key, body: { kind: "email", name: "F", to } })).body;
    const own = (await world().make({ kind: "email", name: "On call", to })).body;
    const alert = { id: "alr_f", node: "reseller:flood", url: "https://usage.example.com/" };
    const stateOf = async (id = "") => (await db.select().from(deliveries).where(eq(deliveries.id, id)))[0];
    const isSent = (id = "") => expect.poll(async () => (await stateOf(id))?.state).toBe("sent");
    const isHeld = (id = "") =>
      expect.poll(async () => Number((await stateOf(id))?.dueAt)).toBeGreaterThan(Date.now() + 50 * 60_000);
    const [first = ""] = await enqueue([flooding.id], { alert });
    await isSent(first);
    const sendMore = (times: number) =>
      db.execute(sql`INSERT INTO delivery_attempts (delivery, at, status, ms, excerpt)
        SELECT ${first}, now(), 250, 1, '' FROM generate_series(1, ${times}::int)`);
    await sendMore(59);
    await isHeld((await enqueue([flooding.id], { alert }))[0]);
    await isSent((await enqueue([own.id]))[0]);
    await sendMore(540);
    await isHeld((await enqueue([own.id]))[0]);
    const mail = { type: "alert.firing" as const, node: "all", to, list: "notifications usr_1", attachments: [] };
    const [personal] = await deps.postgres.transaction((tx) =>
      enqueueMail(tx, accounts.tree, { ...mail, subject: "It fires", lines: [], url: alert.url, button: "Open" }),
    );
    await isSent(personal);
  });

  test("a person's mails about one tenant's alerts take nothing of another's nor of the service's own, and what waits of them waits as one mail", async () => {
    const { deps, mailbox } = world();
    const { db } = deps.postgres;
    const to = "operator@example.com";
    const list = "notifications usr_operator";
    const about = (node: NodeAddress) => ({ about: node });
    const enqueue = (given: Partial<Parameters<typeof enqueueMail>[2]>, times = 1) =>
      deps.postgres.transaction(async (tx) => {
        const ids: string[] = [];
        for (let n = 0; n < times; n++)
          ids.push(
            ...(await enqueueMail(tx, deps.tree, {
              type: "alert.firing",
              node: "all",
              to: [to],
              list,
              attachments: [],
              subject: "It fires",
              lines: [`Line ${n}.`],
              alerts: [`alr_${n}`],
              url: "https://usage.example.com/",
              button: "Open",
              ...given,
            })),
          );
        return ids;
      });
    const rowOf = async (id = "") => (await db.select().from(deliveries).where(eq(deliveries.id, id)))[0];
    const isSent = (id = "") => expect.poll(async () => (await rowOf(id))?.state).toBe("sent");
    const flapping = about("reseller:r1");
    const [first = ""] = await enqueue(flapping);
    await isSent(first);
    const sendMore = (times: number) =>
      db.execute(sql`INSERT INTO delivery_attempts (delivery, at, status, ms, excerpt)
        SELECT ${first}, now(), 250, 1, '' FROM generate_series(1, ${times}::int)`);
    await sendMore(59);
    await enqueue(flapping, 9);
    const waiting = sql`${deliveries.list} = ${list} AND ${deliveries.state} = 'waiting'`;
    const partsOfWaiting = async () =>
      (await db.select().from(deliveries).where(waiting)).map((one) => one.message.parts?.length);
    await expect.poll(partsOfWaiting).toEqual([9]);
    await isSent((await enqueue(about("organization:another-tenant")))[0]);
    await sendMore(540);
    const [own] = await enqueue(about("all"));
    const [system] = await enqueue({ isSystem: true });
    await Promise.all([isSent(own), isSent(system)]);
    expect(await partsOfWaiting()).toEqual([9]);

    await db.execute(sql`UPDATE delivery_attempts SET at = at - interval '1 hour' WHERE delivery = ${first}`);
    await db.update(deliveries).set({ dueAt: sql`now()` }).where(waiting);
    world().courier.wake();
    await expect.poll(partsOfWaiting).toEqual([]);
    const mails = mailbox.mails.filter((mail) => mail.to?.[0]?.address === to);
    expect(mails).toHaveLength(5);
    expect(mails.at(-1)?.subject).toBe("9 alert messages that were held back");
    for (let n = 0; n < 9; n++) expect(mails.at(-1)?.text).toContain(`Line ${n}.`);
  });

  test("what the service reports about itself is taken from the outbox before all that waited longer", async () => {
    const { deps } = world();
    await world().courier.close();
    await deps.postgres.db.update(deliveries).set({ dueAt: null });
    const [plain, system] = await deps.postgres.transaction(async (tx) => {
      const mail = {
        type: "alert.firing" as const,
        node: "all" as const,
        list: "notifications usr_late",
        attachments: [],
        subject: "It fires",
        lines: [],
        url: "https://usage.example.com/",
        button: "Open",
      };
      const to = (address: string) => ({ ...mail, to: [address] });
      const [longest = ""] = await enqueueMail(tx, deps.tree, to("first@example.com"));
      const [last = ""] = await enqueueMail(tx, deps.tree, { ...to("last@example.com"), isSystem: true });
      await tx
        .update(deliveries)
        .set({ dueAt: new Date(0) })
        .where(eq(deliveries.id, longest));
      return [longest, last];
    });
    expect((await claimDue(deps.postgres, 1)).map(({ id }) => id)).toEqual([system]);
    expect((await claimDue(deps.postgres, 1)).map(({ id }) => id)).toEqual([plain]);
    await deps.postgres.db.delete(deliveries).where(eq(deliveries.list, "notifications usr_late"));
    world().courier = new Courier(deps);
  });

  test("however many messages of one tenant are due and whoever receives them, another's are taken with the next, and each tenant's first even when all places are taken; who waits alone has all places", async () => {
    const { deps, accounts } = world();
    const { db } = deps.postgres;
    await world().courier.close();
    await db.update(deliveries).set({ dueAt: null });
    for (const id of ["late", "other"])
      await accounts.tree.createNode({ kind: "reseller", id, name: id, parent: "all" });
    await accounts.tree.createNode({ kind: "reseller", id: "slow", name: "S", parent: "all" });
    const write = (tenant: string, list: string, times: number) =>
      deps.postgres.transaction(async (tx) => {
        for (let n = 0; n < times; n++)
          await enqueueMail(tx, deps.tree, {
            type: "alert.firing",
            node: `reseller:${tenant}`,
            to: [`${n}@example.com`],
            list,
            attachments: [],
            subject: "It fires",
            lines: [],
            url: "https://usage.example.com/",
            button: "Open",
          });
      });
    for (let list = 0; list < 10; list++) await write("slow", `slow ${list}`, 5);
    await write("r1", "calm", 2);
    const claimed = async (room: number, beyond: number) =>
      (await claimDue(deps.postgres, room, beyond)).map(({ tenant }) => tenant).sort();
    const times = (tenant: string, count: number) => Array(count).fill(`reseller:${tenant}`);
    expect(await claimed(4, 0)).toEqual([...times("r1", 2), ...times("slow", 2)]);
    await write("other", "other", 2);
    expect(await claimed(16, 0)).toEqual([...times("other", 2), ...times("slow", 6)]);
    // Nobody else waits.
    expect(await claimed(5, 16)).toEqual(times("slow", 5));
    await write("late", "late", 3);
    expect(await claimed(0, 16)).toEqual(times("late", 1));
    expect(await claimed(16, 0)).toEqual(times("late", 2));
    await db.delete(deliveries).where(inArray(deliveries.tenant, ["reseller:slow", "reseller:late", "reseller:other"]));
    await db.delete(deliveries).where(eq(deliveries.list, "calm"));
    world().courier = new Courier(deps);
  });

  test("a receiver that is slow again and again is sent one message at a time until it answers soon, others four", async () => {
    const { postgres } = world().deps;
    await world().courier.close();
    await postgres.db.update(deliveries).set({ dueAt: null });
    const { id } = await world().webhook("/slow");
    for (let n = 0; n < 6; n++) await world().enqueue([id]);
    const ids = async () => (await claimDue(postgres, 16)).length;
    const setFree = () => postgres.db.update(deliveries).set({ claimedUntil: null }).where(eq(deliveries.channel, id));
    for (let n = 0; n < 2; n++) await notePace(postgres, id, 10_000);
    expect(await ids()).toBe(4);
    await setFree();
    await notePace(postgres, id, 10_000);
    expect([await ids(), await ids()]).toEqual([1, 0]);
    await setFree();
    await notePace(postgres, id, 20);
    expect(await ids()).toBe(4);
    await postgres.db.delete(deliveries).where(eq(deliveries.channel, id));
    world().courier = new Courier(world().deps);
  });

  test("a tenant has two thousand channels at most, on whichever of its nodes, its agents' too", async () => {
    const { db } = world().deps.postgres;
    await db.execute(sql`INSERT INTO channels (id, node, name, kind, enabled, "to")
      SELECT 'chn_many_' || n, 'organization:beside', 'Many', 'email', false, '[]'::jsonb FROM generate_series(1, 2000) AS n`);
    const refused = await world().make({ kind: "email", name: "One more", to: ["more@example.com"] });
    expect(refused).toMatchObject({ status: 409, body: { detail: expect.stringContaining("2000 channels") } });
    await db.execute(sql`DELETE FROM channels WHERE id LIKE 'chn_many_%'`);
  });

  test("of many alerts a webhook is given each, other channels one list of those at their node or below without what moved away, and each delivery is found by each of its alerts", async () => {
    const { accounts, deps, make, receiver } = world();
    const { db } = deps.postgres;
    const { key } = await accounts.makeKey("reseller:r1");
    const makeAbove = async (body: object) => (await accounts.ask("POST", "/v1/channels", { key, body })).body.id;
    const hook = { kind: "webhook", url: `${receiver.url}/many` };
    const slack = { kind: "slack", url: `${receiver.url}/many-slack` };
    const ofAcme = (await make({ ...hook, name: "of acme" })).body.id;
    const ofAll = await makeAbove({ ...hook, name: "of all" });
    const list = await makeAbove({ ...slack, name: "list" });
    const ownList = (await make({ ...slack, name: "own list" })).body.id;
    const rule = {
      id: "rul_many",
      name: "Many",
      node: "reseller:r1",
      kind: "threshold",
      mute: [],
      channels: [ofAcme, ofAll, list, ownList],
    } as unknown as RuleRecord;
    const at = new Date();
    const rows = Array.from({ length: 24 }, (_, n) => {
      const node = n % 3 === 0 ? "organization:acme" : "organization:beside";
      return {
        id: `alr_many_${n}`,
        key: `many ${n}`,
        subject: `${n}`,
        node,
        place: node,
        explanation: `Fires ${n}.`,
        ruleId: rule.id,
        ruleName: rule.name,
        kind: "threshold" as const,
        severity: "warning" as const,
        state: "firing" as const,
        due: "alert.firing" as const,
        dueSince: at,
        at,
        watermark: at,
      };
    });
    await db.insert(alerts).values(rows);
    await world().courier.close();
    const source = { tree: accounts.tree, publicUrl: "https://usage.example.com" };
    await deps.postgres.transaction((tx) => notifyDue(tx, source, rule));
    const written = (channel: string) => db.select().from(deliveries).where(eq(deliveries.channel, channel));
    const given = async (channel: string) => (await written(channel)).map(({ alert }) => alert).sort();
    expect(await given(ofAll)).toEqual(rows.map(({ id }) => id).sort());
    expect(await given(ofAcme)).toHaveLength(8);
    expect(await written(ownList)).toMatchObject([{ message: { subject: "8 alerts from the rule Many" } }]);
    const [listed] = await written(list);
    expect(listed?.message.subject).toBe("24 alerts from the rule Many");
    for (const { id } of rows) {
      const { body } = await accounts.ask("GET", `/v1/deliveries?alert=${id}&channel=${list}`, { key });
      expect(body.deliveries).toMatchObject([{ id: listed?.id }]);
    }

    const movedAway = (node: NodeAddress) => node === "organization:beside";
    const tree = {
      ancestors: (node: NodeAddress) => accounts.tree.ancestors(node),
      isWithin: (node: NodeAddress, top: NodeAddress) => !movedAway(node) && accounts.tree.isWithin(node, top),
    };
    world().courier = new Courier({ ...deps, tree });
    world().courier.wake();
    const ends = async () => [...(await written(ofAll)), ...(await written(list)), ...(await written(ownList))];
    const statesOf = async () => (await ends()).map(({ state }) => state);
    await expect.poll(statesOf, { timeout: 60_000 }).not.toContain("waiting");
    expect((await statesOf()).filter((state) => state === "sent")).toHaveLength(8 + 2);
    const ids = new Set((await written(ofAll)).map(({ id }) => id));
    const posted = receiver.received
      .filter(({ path, headers }) => path === "/many" && ids.has(headers["webhook-id"] as string))
      .map(({ body }) => JSON.parse(body).data.id);
    expect(posted.sort()).toEqual(
      rows
        .filter(({ node }) => !movedAway(node))
        .map(({ id }) => id)
        .sort(),
    );
    const lists = world()
      .receivedAt("/many-slack")
      .map(({ body }) => JSON.parse(body));
    expect(lists.map(({ text }) => text)).toEqual(["8 alerts from the rule Many", "8 alerts from the rule Many"]);
    for (const { blocks } of lists) expect(JSON.stringify(blocks)).not.toContain("Fires 1.");
    await world().courier.close();
    world().courier = new Courier(deps);
  });

  test("a delivery is sent again twenty times an hour at most", async () => {
    const { id: hook } = await world().webhook("/again-and-again");
    const [id = ""] = await world().enqueue([hook]);
    const statuses: number[] = [];
    for (let time = 0; time < 20; time++) {
      await world().once(id, ({ state, attempts }) => state === "sent" && attempts.length === time + 1);
      statuses.push((await world().ask("POST", `/v1/deliveries/${id}/resend`)).status);
    }
    expect(statuses).toEqual([...Array(19).fill(202), 429]);
  });

  test.each([["webhook"], ["slack"]])(
    "the address of a channel of %s, which lets whoever knows it write there, is shown to who may change it and stands in no audit",
    async (kind) => {
      const url = `http://127.0.0.1/hooks/of-${kind}-alone`;
      const made = await world().make({ name: `hidden ${kind}`, kind, url });
      expect(made.body.url).toBe(url);
      await world().ask("PATCH", `/v1/channels/${made.body.id}`, { body: { url: `${url}-now` } });
      const reader = (await world().accounts.makeKey("organization:acme", ["read"])).key;
      const seen = await world().accounts.ask("GET", `/v1/channels/${made.body.id}`, { key: reader });
      expect(seen.body.url).toBe("http://127.0.0.1/…");
      const listed = await world().accounts.ask("GET", "/v1/channels", { key: reader });
      const audit = await world().accounts.ask("GET", "/v1/audit?limit=1000", { key: world().accounts.rootKey });
      expect(audit.body.entries.length).toBeGreaterThan(0);
      for (const { body } of [listed, audit]) expect(JSON.stringify(body)).not.toContain(`of-${kind}-alone`);
    },
  );

  test("a channel is tested ten times a minute at most", async () => {
    const { id: hook } = await world().webhook("/tested");
    const statuses: number[] = [];
    for (let index = 0; index < 11; index++)
      statuses.push((await world().ask("POST", `/v1/channels/${hook}/test`)).status);
    expect(statuses).toEqual([...Array(10).fill(202), 429]);
    await vi.waitFor(() => expect(world().receivedAt("/tested")).toHaveLength(10), { timeout: patienceMs });
  });
}
