/** Stored statements: what closes when, what is frozen, what later events do, who sees what, and that sums agree. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Statement, StatementCharges, StatementLine } from "../../server/contract/statements.ts";
import { exact, plus, roundHalfEven, zero } from "../../server/numbers/exact.ts";
import { type Billing, createBilling, perMinute } from "../support/billing.ts";
import { editedSubscriptions } from "./edited-subscriptions.ts";

let billing: Billing;
const seller = "reseller:asked-about-9f3c";
const partner = "partner:above-9f3c";
const calls = { key: "calls", meter: "call_minutes", overage: "bill" };

beforeAll(async () => {
  billing = await createBilling();
});
afterAll(() => billing.world.close());

let made = 0;
async function newOrganization(parent = seller): Promise<{ organization: string; node: string }> {
  made++;
  const organization = `billed-${made}`;
  await billing.world.deps.tree.ensureOrganizations([organization], parent);
  return { organization, node: `organization:${organization}` };
}

async function statementsOf(node: string, kind = "subscription", key?: string): Promise<Statement[]> {
  const { statements } = await billing.get(`/v1/statements?node=${node}&kind=${kind}&limit=1000`, key);
  return statements.filter((one: Statement) => one.node === node).reverse();
}

const linesOf = (charges: StatementCharges[], level: string) => charges.find((one) => one.level === level)?.lines ?? [];
const shortOf = (lines: StatementLine[]) =>
  lines.map(({ kind, tier, quantity, amount }) => [kind, tier, quantity, amount]);
const sum = (amounts: (string | null)[], decimals = 2) =>
  roundHalfEven(
    amounts.reduce((total, amount) => plus(total, exact(amount ?? "0")), zero),
    decimals,
  );

test("a cycle is closed a day after its end, once, and what was closed is never another", async () => {
  const { organization, node } = await newOrganization();
  const tiers = [
    { up_to: 100, unit_price: "0.10", flat_fee: "1" },
    { up_to: null, unit_price: "0.05" },
  ];
  const terms = {
    currency: "EUR",
    fixed_fee: { organization: "49", reseller: "30" },
    features: [
      {
        ...calls,
        included: 500,
        prices: { organization: { model: "graduated", tiers }, reseller: { model: "package", size: 100, price: "3" } },
      },
    ],
  };
  const plan = await billing.plan(partner, terms);
  await billing.subscribe(node, plan, { starts_at: "2026-01-31T00:00:00Z", tz: "Europe/Berlin" });
  await billing.calls(
    [organization, "2026-02-27T22:59:59Z", "700.005"],
    [organization, "2026-02-27T23:00:00Z", "100"],
    [organization, "2026-03-30T21:59:59Z", "401"],
  );
  expect(await billing.run("2026-02-28T22:59:59Z")).toBe(0);
  expect(await billing.run("2026-02-28T23:00:00Z")).toBe(1);
  expect(await billing.run("2026-02-28T23:00:00Z")).toBe(0);
  const [first] = await statementsOf(node);
  expect(first).toMatchObject({ kind: "subscription", node, parent: seller, currency: "EUR", total: "65.00" });
  expect(first?.payment.status).toBe("open");
  expect(first?.cycle).toEqual({ start: "2026-01-31T00:00:00+01:00", end: "2026-02-28T00:00:00+01:00" });
  const before = await billing.get(`/v1/statements/${first?.id}`);
  expect(shortOf(linesOf(before.charges, "organization"))).toEqual([
    ["fixed_fee", null, "1", "49.00"],
    ["usage", 1, "100", "11.00"],
    ["usage", 2, "100.005", "5.00"],
  ]);
  expect(before.charges.map((one: StatementCharges) => [one.level, one.payer, one.total, one.margin])).toEqual([
    ["organization", node, "65.00", null],
    ["reseller", seller, "39.00", "26.00"],
  ]);
  expect(before.usage).toMatchObject([{ feature: "calls", unit: "minutes", used: "700.005", included: "500" }]);
  await billing.run("2026-05-15T00:00:00Z");
  const all = await statementsOf(node);
  // 31 days with an hour less, then 30, all from the last day of a month on.
  expect(all.map(({ from, total }) => [from, total])).toEqual([
    ["2026-01-31T00:00:00+01:00", "65.00"],
    ["2026-02-28T00:00:00+01:00", "50.10"],
    ["2026-03-31T00:00:00+02:00", "49.00"],
  ]);
  expect(await billing.get(`/v1/statements/${first?.id}`)).toEqual({
    ...before,
    summary: expect.any(String),
    watermark: expect.any(String),
  });
});

test("events that come or are voided after the closing are an adjustment, charged once, with the next statement", async () => {
  const { organization, node } = await newOrganization();
  const plan = await billing.plan(partner, {
    currency: "EUR",
    features: [
      {
        ...calls,
        prices: {
          organization: {
            model: "volume",
            tiers: [
              { up_to: 100, unit_price: "0.10" },
              { up_to: null, unit_price: "0.08" },
            ],
          },
          reseller: { model: "package", size: 100, price: "3" },
        },
      },
    ],
  });
  await billing.subscribe(node, plan, { starts_at: "2026-01-01T00:00:00Z" });
  await billing.calls([organization, "2026-01-10T00:00:00Z", "90"], [organization, "2026-02-10T00:00:00Z", "10"]);
  await billing.run("2026-02-02T00:00:00Z");
  const [january] = await statementsOf(node);
  expect(january?.total).toBe("9.00");
  await billing.calls([organization, "2026-01-20T00:00:00Z", "20"]);
  await billing.run("2026-02-03T00:00:00Z");
  await billing.run("2026-02-03T00:00:00Z");
  const adjusted = await billing.get(`/v1/statements/${january?.id}`);
  expect([adjusted.total, adjusted.adjusted_total]).toEqual(["9.00", "8.80"]);
  expect(adjusted.adjustments).toHaveLength(1);
  expect(adjusted.adjustments[0].carried_by).toBeNull();
  // All of it falls into the cheaper tier; a second package is begun.
  expect(shortOf(linesOf(adjusted.adjustments[0].charges, "organization"))).toEqual([
    ["adjustment", 1, "-90", "-9.00"],
    ["adjustment", 2, "110", "8.80"],
  ]);
  expect(shortOf(linesOf(adjusted.adjustments[0].charges, "reseller"))).toEqual([["adjustment", null, "1", "3.00"]]);
  // As long as no statement carries it, it follows what is known.
  const found = await billing.get(`/v1/records?node=${node}&from=2026-01-20&to=2026-01-21`);
  const { key } = billing;
  const voided = await billing.world.ask("POST", `/v1/events/${found.records[0].id}/void`, {
    key,
    body: { organization, reason: "a test call" },
  });
  expect(voided.status).toBe(200);
  await billing.run("2026-02-04T00:00:00Z");
  expect((await billing.get(`/v1/statements/${january?.id}`)).adjustments).toEqual([]);
  await billing.calls([organization, "2026-01-21T00:00:00Z", "10.01"]);
  await billing.run("2026-03-02T00:00:00Z");
  const february = (await statementsOf(node))[1];
  const carried = await billing.get(`/v1/statements/${february?.id}`);
  expect(shortOf(linesOf(carried.charges, "organization"))).toEqual([
    ["usage", 1, "10", "1.00"],
    ["adjustment", 1, "-90", "-9.00"],
    ["adjustment", 2, "100.01", "8.00"],
  ]);
  expect(carried.charges.map((one: StatementCharges) => [one.level, one.total, one.margin])).toEqual([
    ["organization", "0.00", null],
    ["reseller", "6.00", "-6.00"],
  ]);
  const settled = await billing.get(`/v1/statements/${january?.id}`);
  expect([settled.total, settled.adjusted_total, settled.adjustments[0].carried_by]).toEqual([
    "9.00",
    "8.00",
    february?.id,
  ]);
  // Charged already: what comes still later is a second one, of the difference to both.
  await billing.calls([organization, "2026-01-22T00:00:00Z", "100"]);
  await billing.run("2026-03-03T00:00:00Z");
  const again = await billing.get(`/v1/statements/${january?.id}`);
  expect(again.adjustments.map((one: { charges: StatementCharges[] }) => one.charges[0]?.total)).toEqual([
    "-1.00",
    "8.00",
  ]);
  expect((await billing.get(`/v1/statements/${february?.id}`)).total).toBe("0.00");
});

test("an end that comes after the closing, of a time after the cycle, adjusts the minutes before", async () => {
  const { organization, node } = await newOrganization();
  const prices = { organization: { model: "graduated", tiers: [{ up_to: null, unit_price: "0.01" }] } };
  const features = [{ key: "rooms", meter: "participation_minutes", overage: "bill", prices }];
  const plan = await billing.plan(partner, { currency: "EUR", features });
  await billing.subscribe(node, plan, { starts_at: "2026-01-01T00:00:00Z" });
  const session = { organization, session: "across", user: "u" };
  await billing.send([{ type: "participant.joined", time: "2026-01-31T22:00:00Z", ...session }]);
  await billing.run("2026-02-03T00:00:00Z");
  const [january] = await statementsOf(node);
  expect(january?.total).toBe("0.00");
  await billing.send([{ type: "participant.left", time: "2026-02-01T01:00:00Z", ...session }]);
  await billing.run("2026-02-03T00:10:00Z");
  expect((await billing.get(`/v1/statements/${january?.id}`)).adjusted_total).toBe("1.20");
});

test("when a node moves in mid-cycle each parent charges its part, and sees only its own", async () => {
  const [first, second] = ["reseller:moved-from", "reseller:moved-to"];
  for (const id of ["moved-from", "moved-to"])
    await billing.world.deps.tree.createNode({ kind: "reseller", id, name: id, parent: partner });
  const { organization, node } = await newOrganization(first);
  const terms = perMinute("EUR", { organization: "0.10", reseller: "0.06" }, { fixed_fee: { organization: "31" } });
  const plan = await billing.plan(partner, terms);
  await billing.subscribe(node, plan, { starts_at: "2026-03-01T00:00:00Z" });
  await billing.move(node, second, "2026-03-11T12:00:00Z");
  await billing.calls([organization, "2026-03-11T11:59:59.999Z", "10"], [organization, "2026-03-11T12:00:00Z", "20"]);
  await billing.run("2026-03-12T11:59:59Z");
  expect(await statementsOf(node)).toEqual([]);
  await billing.run("2026-04-02T00:00:00Z");
  const [before, after] = await statementsOf(node);
  expect([before?.parent, before?.to, before?.total]).toEqual([first, "2026-03-11T12:00:00Z", "11.50"]);
  expect([after?.parent, after?.from, after?.total]).toEqual([second, "2026-03-11T12:00:00Z", "22.50"]);
  const keyOf = async (at: string) => (await billing.world.makeKey(["read", "admin"], at)).key;
  const [old, now] = [await keyOf(first), await keyOf(second)];
  const seenBy = async (key: string) => (await billing.get("/v1/statements?limit=1000", key)).statements;
  const about = (list: Statement[]) => list.filter((one) => one.node === node).map(({ id }) => id);
  expect(about(await seenBy(old))).toEqual([before?.id]);
  expect(about(await seenBy(now))).toEqual([after?.id]);
  const refused = await billing.world.ask("GET", `/v1/statements/${before?.id}`, { key: now });
  expect(refused.status).toBe(404);
  const summed = await billing.get(`/v1/statements/${before?.summary}`);
  expect([summed.node, summed.kind]).toEqual([first, "summary"]);
  // Late usage of before the move: the old parent gets a correction, since no statement of its is to come.
  await billing.calls([organization, "2026-03-02T00:00:00Z", "5"]);
  await billing.run("2026-04-03T00:00:00Z");
  await billing.run("2026-04-04T00:00:01Z");
  const [correction] = await statementsOf(node, "correction");
  expect(correction).toMatchObject({ parent: first, total: "0.50", cycle: { start: "2026-03-01T00:00:00Z" } });
  await billing.run("2026-05-02T00:00:00Z");
  const [corrected] = await statementsOf(node, "correction");
  const claimed = await billing.get(`/v1/statements/${corrected?.summary}`);
  expect(claimed.income_lines.map(({ statement }: StatementLine) => statement)).toContain(correction?.id);
});

test("a change of plan to another currency makes a statement of each, and no amounts of two are added", async () => {
  const { organization, node } = await newOrganization();
  const euro = await billing.plan(partner, perMinute("EUR", { organization: "0.125" }));
  const yen = await billing.plan(partner, perMinute("JPY", { organization: "12.5" }));
  const id = await billing.subscribe(node, euro, { starts_at: "2026-06-01T00:00:00Z" });
  await billing.changePlan(id, yen, "2026-06-16T00:00:00Z");
  await billing.calls([organization, "2026-06-02T00:00:00Z", "1"], [organization, "2026-06-20T00:00:00Z", "3"]);
  await billing.run("2026-07-02T00:00:00Z");
  expect((await statementsOf(node)).map(({ currency, total }) => [currency, total]).sort()).toEqual([
    ["EUR", "0.12"],
    ["JPY", "38"],
  ]);
});

test("a summary equals what it sums up to the last minor unit, in each currency, up to the partner", async () => {
  const [top, reseller] = ["partner:summed", "reseller:summed"];
  const { tree } = billing.world.deps;
  await tree.createNode({ kind: "partner", id: "summed", name: "Summed", parent: "all" });
  await tree.createNode({ kind: "reseller", id: "summed", name: "Summed", parent: top });
  const currencies = { EUR: 2, JPY: 0, KWD: 3 };
  const zones = ["Asia/Kolkata", "America/New_York", "UTC"];
  for (const currency of Object.keys(currencies)) {
    const prices = { organization: "1.3335", reseller: "0.7775", partner: "0.1115" };
    const plan = await billing.plan(top, perMinute(currency, prices, { fixed_fee: { reseller: "3.333" } }));
    for (const [index, tz] of zones.entries()) {
      const { organization, node } = await newOrganization(reseller);
      await billing.subscribe(node, plan, { starts_at: "2026-02-01T12:00:00Z", tz, anchor: 10 * index + 1 });
      await billing.calls([organization, "2026-02-20T10:00:00Z", `${7 + index}.1`]);
    }
  }
  // The reseller's own plan: what it pays to be one.
  const fee = await billing.plan(top, { currency: "EUR", fixed_fee: { reseller: "99.5", partner: "11" } });
  await billing.subscribe(reseller, fee, { starts_at: "2026-02-01T00:00:00Z" });
  await billing.run("2026-05-03T00:00:00Z");
  const below = (await billing.get(`/v1/statements?node=${reseller}&limit=1000`)).statements as Statement[];
  const summaries = below.filter(({ kind }) => kind === "summary");
  expect(new Set(summaries.map(({ currency }) => currency))).toEqual(new Set(Object.keys(currencies)));
  for (const summary of summaries) {
    const decimals = currencies[summary.currency as keyof typeof currencies];
    const parts = below.filter(({ summary: of }) => of === summary.id);
    expect(parts.every(({ currency }) => currency === summary.currency)).toBe(true);
    const details = await Promise.all(parts.map(({ id }) => billing.get(`/v1/statements/${id}`)));
    const of = (level: string) =>
      sum(
        details.map(({ charges }) => charges.find((one: StatementCharges) => one.level === level)?.total ?? "0"),
        decimals,
      );
    const children = parts.filter(({ node }) => node !== reseller);
    expect(summary.income).toBe(
      sum(
        children.map(({ total }) => total),
        decimals,
      ),
    );
    expect(summary.total).toBe(of("reseller"));
    expect(summary.margin).toBe(sum([summary.income, `-${summary.total}`], decimals));
    const { charges } = await billing.get(`/v1/statements/${summary.id}`);
    expect(charges.map((one: StatementCharges) => [one.level, one.payer, one.total])).toEqual([
      ["reseller", reseller, of("reseller")],
      ["partner", top, of("partner")],
    ]);
  }
  const ended = below.filter(({ kind, to }) => kind !== "summary" && to < "2026-05-01");
  expect(ended.every(({ summary }) => summary !== null)).toBe(true);
  const above = (await billing.get(`/v1/statements?node=${top}&kind=summary&limit=1000`)).statements as Statement[];
  const sums = above.filter(({ node }) => node === top);
  for (const whole of sums) {
    const { income_lines, charges } = await billing.get(`/v1/statements/${whole.id}`);
    const parts = above.filter(({ summary }) => summary === whole.id);
    const counted = income_lines.map(({ statement }: StatementLine) => statement);
    for (const part of parts) expect(counted).toContain(part.id);
    const decimals = whole.currency === "JPY" ? 0 : whole.currency === "KWD" ? 3 : 2;
    expect(whole.income).toBe(
      sum(
        income_lines.map(({ amount }: StatementLine) => amount),
        decimals,
      ),
    );
    for (const { total, lines } of charges)
      expect(total).toBe(
        sum(
          lines.map(({ amount }: StatementLine) => amount),
          decimals,
        ),
      );
  }
  const resellers = summaries.filter(({ currency }) => currency === "KWD");
  expect(resellers.every(({ summary }) => sums.some(({ id }) => id === summary))).toBe(true);
});

test("a cancelled subscription is closed at its end, and /v1/period still has its cycles", async () => {
  const { organization, node } = await newOrganization();
  const plan = await billing.plan(
    partner,
    perMinute("EUR", { organization: "0.10" }, { fixed_fee: { organization: "30" } }),
  );
  const [starts_at, expires_at] = ["2026-04-01T00:00:00Z", "2026-05-16T00:00:00Z"];
  await billing.subscribe(node, plan, { starts_at, expires_at, tz: "Europe/Berlin", renews: false });
  await billing.calls([organization, "2026-04-05T00:00:00Z", "10"], [organization, "2026-05-15T23:59:59Z", "7"]);
  await billing.run("2026-06-20T00:00:00Z");
  expect((await statementsOf(node)).map(({ to, total }) => [to, total])).toEqual([
    ["2026-05-01T00:00:00+02:00", "31.00"],
    ["2026-05-16T02:00:00+02:00", "15.30"],
  ]);
  const period = await billing.get(`/v1/period?node=${node}&cycles=3`);
  expect([period.subscription, period.quotas]).toEqual([null, []]);
  expect(
    period.past.map((one: { start: string; quotas: { used: string }[] }) => [one.start, one.quotas[0]?.used]),
  ).toEqual([
    ["2026-05-01T00:00:00+02:00", "7"],
    ["2026-04-01T00:00:00+02:00", "10"],
  ]);
  const last = await billing.get(`/v1/charges?node=${node}&cycle=1`);
  expect(last.levels[0].total).toBe("15.30");
});

test("a trial is on the statement with its usage, apart from what is paid for, and costs nothing", async () => {
  const { organization, node } = await newOrganization();
  const plan = await billing.plan(
    partner,
    perMinute("EUR", { organization: "0.10" }, { fixed_fee: { organization: "30" } }),
  );
  await billing.subscribe(node, plan, { starts_at: "2026-04-01T00:00:00Z", trial_ends_at: "2026-04-16T00:00:00Z" });
  await billing.calls([organization, "2026-04-05T00:00:00Z", "10"], [organization, "2026-04-20T00:00:00Z", "7"]);
  await billing.run("2026-05-02T00:00:00Z");
  const [statement] = await statementsOf(node);
  const detail = await billing.get(`/v1/statements/${statement?.id}`);
  expect(detail.total).toBe("15.70");
  const [tried, paid, ...more] = detail.usage;
  expect(tried).toMatchObject({ used: "10", to: "2026-04-16T00:00:00Z", is_trial: true });
  expect(paid).toMatchObject({ used: "7", from: "2026-04-16T00:00:00Z" });
  expect([paid.is_trial, more]).toEqual([undefined, []]);
});

test("without the right to prices there is no amount, and pages go on where they ended", async () => {
  const { node } = await newOrganization();
  const plan = await billing.plan(
    partner,
    perMinute("EUR", { organization: "0.10" }, { fixed_fee: { organization: "30" } }),
  );
  await billing.subscribe(node, plan, { starts_at: "2026-01-01T00:00:00Z" });
  await billing.run("2026-08-02T00:00:00Z");
  const reader = (await billing.world.makeKey(["read"], node)).key;
  const all = (await billing.get("/v1/statements", reader)).statements;
  expect(all).toHaveLength(7);
  expect(all[0]).toMatchObject({ total: null, income: null, margin: null, adjusted_total: null, summary: null });
  const detail = await billing.get(`/v1/statements/${all[0].id}`, reader);
  expect(JSON.stringify(detail)).not.toMatch(/30\.00|0\.10/);
  expect([detail.charges, detail.adjustments, detail.payments]).toEqual([[], [], []]);
  const own = (await billing.world.makeKey(["read", "admin"], node)).key;
  const seen = await billing.get(`/v1/statements/${all[0].id}`, own);
  expect(seen.charges.map((one: StatementCharges) => one.level)).toEqual(["organization"]);
  const ids: string[] = [];
  for (let cursor = ""; ; ) {
    const page = await billing.get(`/v1/statements?limit=3${cursor}`, reader);
    ids.push(...page.statements.map(({ id }: Statement) => id));
    if (page.next_cursor === null) break;
    cursor = `&cursor=${page.next_cursor}`;
  }
  expect(ids).toEqual(all.map(({ id }: Statement) => id));
  const inMarch = await billing.get("/v1/statements?cycle=2026-03-15", reader);
  expect(inMarch.statements.map((one: Statement) => one.from)).toEqual(["2026-03-01T00:00:00Z"]);
  const csv = await billing.world.ask("GET", "/v1/statements", { key: own, headers: { accept: "text/csv" } });
  expect(csv.body.split("\r\n")[1]).toContain(",EUR,30.00,");
  const lines = await billing.world.ask("GET", `/v1/statements/${all[0].id}`, {
    key: own,
    headers: { accept: "text/csv" },
  });
  expect(lines.body).toContain("charge,organization,");
});

editedSubscriptions(() => billing, newOrganization);
