/** When limits are reached, and what trials, cancellations and changes of plan make of them: period, entitlements, charges and statements agree. */
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { countedSpan } from "../../server/billing/billing-cycle.ts";
import { Entitlements } from "../../server/billing/entitlements.ts";
import { readPeriod } from "../../server/billing/period.ts";
import { readTerms } from "../../server/billing/plans.ts";
import { reachedAt } from "../../server/billing/reached-at.ts";
import { readCharges } from "../../server/billing/read-charges.ts";
import { subscriptionsOf } from "../../server/billing/subscriptions.ts";
import { meterByName } from "../../server/catalog/catalog.ts";
import type { Meter } from "../../server/catalog/meter.ts";
import type { Statement } from "../../server/contract/statements.ts";
import { readStandings } from "../../server/overview/read-standings.ts";
import { subscriptions } from "../../server/postgres/schema/plans.ts";
import { type Billing, createBilling, perMinute } from "../support/billing.ts";
import { manyPastChanges } from "./many-past-changes.ts";
import { standingsOfMany } from "./standings-of-many.ts";

let billing: Billing;
const seller = "reseller:asked-about-9f3c";
const partner = "partner:above-9f3c";
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

beforeAll(async () => {
  billing = await createBilling();
});
afterAll(() => billing.world.close());

let made = 0;
async function newOrganization(): Promise<{ organization: string; node: `organization:${string}` }> {
  made++;
  const organization = `limited-${made}`;
  await billing.world.deps.tree.ensureOrganizations([organization], seller);
  return { organization, node: `organization:${organization}` };
}

const limited = (included: string, overage: string, rest: object = {}) => ({
  currency: "EUR",
  features: [{ key: "calls", meter: "call_minutes", included, overage, ...rest }],
});
const entitlementAt = async (node: string, time: string) =>
  await new Entitlements({ ...billing.world.deps, meterOf: meterByName, now: () => Date.parse(time) }).ask(
    node as never,
    "calls",
  );
const quotaAt = async (node: string, time: string) => {
  const period = await readPeriod(billing.source, node as never, 0, Date.parse(time));
  return { counted: period.counted, quota: period.quotas[0] };
};

/** A generator with a seed, so that what fails fails again. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe("a limit is reached to the millisecond", () => {
  const fromMs = Date.parse("2026-03-01T00:00:00Z");
  const span = { fromMs, toMs: Date.parse("2026-04-01T00:00:00Z"), tz: "Europe/Berlin" };
  const reached = async (node: string, name: string, limit: string) =>
    await reachedAt(billing.source, node as never, { meter: meterByName(name) as Meter, limit }, span, span.toMs);

  test.each(["live_participants", "recording_storage"])(
    "of the level %s with the first that reached it, though it fell again on that day and was reached again later",
    async (meter) => {
      const { organization, node } = await newOrganization();
      const at = (day: string, time: string) => ({ organization, time: `2026-03-${day}T${time}Z` });
      const joined = { type: "participant.joined", session: "s", user: "u", interval: "i" };
      const stored = { type: "recording.stored", value: "5" };
      await billing.send([
        { ...at("03", "10:00:00.123"), ...joined },
        { ...at("03", "11:00:00"), ...joined, type: "participant.left" },
        { ...at("07", "10:00:00"), ...joined, interval: "later" },
        { ...at("07", "11:00:00"), ...joined, interval: "later", type: "participant.left" },
        { ...at("03", "10:00:00.123"), ...stored },
        { ...at("03", "11:00:00"), ...stored, type: "recording.deleted" },
        { ...at("07", "10:00:00"), ...stored },
      ]);
      const limit = meter === "live_participants" ? "1" : "5";
      expect(await reached(node, meter, limit)).toBe(Date.parse("2026-03-03T10:00:00.123Z"));
      expect(await reached(node, meter, `${limit}1`)).toBeUndefined();
    },
  );

  test("with the event that reached it", async () => {
    const { organization, node } = await newOrganization();
    const draw = random(7);
    const calls = Array.from({ length: 40 }, (_, index) => {
      // Some within one minute, some days apart.
      const ms = fromMs + Math.floor(index / 4) * 1.7 * dayMs + draw(50_000);
      return { ms, minutes: (1 + draw(9_000) / 1_000).toFixed(3) };
    }).sort((a, b) => a.ms - b.ms);
    await billing.calls(
      ...calls.map(
        ({ ms, minutes }) => [organization, new Date(ms).toISOString(), minutes] as [string, string, string],
      ),
    );
    for (const place of [0, 5, 6, 22, 39]) {
      const units = calls
        .slice(0, place + 1)
        .reduce((sum, { minutes }) => sum + Math.round(Number(minutes) * 1_000), 0);
      const [at, after] = [calls[place]?.ms, calls[place + 1]?.ms];
      expect(await reached(node, "call_minutes", String(units / 1_000))).toBe(at);
      expect(await reached(node, "call_minutes", String((units + 1) / 1_000))).toBe(after);
    }
  });

  test("with the instant that completed the minutes, the step of a peak, and the user or message that was one too many", async () => {
    const { organization, node } = await newOrganization();
    const at = (text: string) => Date.parse(`2026-03-${text}Z`);
    const interval = (user: string, from: string, to: string) => [
      { type: "participant.joined", organization, session: `s ${from}`, user, time: `2026-03-${from}Z` },
      { type: "participant.left", organization, session: `s ${from}`, user, time: `2026-03-${to}Z` },
    ];
    await billing.send([
      ...interval("a", "02T10:00:00.100", "02T10:00:20.433"),
      ...interval("b", "03T10:00:00.007", "03T10:10:00.007"),
      ...interval("c", "03T10:04:30.250", "03T10:10:00.007"),
      ...interval("a", "03T10:04:59.999", "03T10:06:00.000"),
      ...["05T08:00:00.123", "05T08:00:00.124", "05T08:00:30.001"].map((time) => ({
        type: "chat.posted",
        organization,
        session: "s",
        user: "a",
        time: `2026-03-${time}Z`,
      })),
    ]);
    // 20.333 seconds, then one alone, two, three.
    expect(await reached(node, "participation_minutes", "0.1")).toBe(at("02T10:00:06.100"));
    expect(await reached(node, "participation_minutes", "1")).toBe(at("03T10:00:39.674"));
    expect(await reached(node, "participation_minutes", "5")).toBe(at("03T10:04:34.962"));
    expect(await reached(node, "participation_minutes", "100")).toBeUndefined();
    expect(await reached(node, "max_concurrent_participants", "2")).toBe(at("03T10:04:30.250"));
    expect(await reached(node, "max_concurrent_participants", "3")).toBe(at("03T10:04:59.999"));
    expect(await reached(node, "active_users", "2")).toBe(at("03T10:00:00.007"));
    expect(await reached(node, "active_users", "3")).toBe(at("03T10:04:30.250"));
    expect(await reached(node, "chat_posts", "2")).toBe(at("05T08:00:00.124"));
    expect(await reached(node, "chat_posts", "3")).toBe(at("05T08:00:30.001"));
    expect(await reached(node, "sessions", "2")).toBe(at("03T10:00:00.007"));
  });

  test("and shown so by the period", async () => {
    const { organization, node } = await newOrganization();
    const plan = await billing.plan(partner, limited("100", "block"));
    await billing.subscribe(node, plan, { starts_at: "2026-03-01T00:00:00Z" });
    await billing.calls(
      [organization, "2026-03-04T10:30:20.123Z", "99"],
      [organization, "2026-03-04T10:30:20.456Z", "1"],
    );
    const { quota } = await quotaAt(node, "2026-03-10T00:00:00Z");
    expect(quota).toMatchObject({ used: "100", hit_at: "2026-03-04T10:30:20.456Z" });
  });
});

describe("a trial is a span of its own", () => {
  test("what it uses counts against the plan's limits within it, and the paid part begins with nothing used", async () => {
    const { organization, node } = await newOrganization();
    const plan = await billing.plan(partner, limited("100", "block"));
    const trial = { starts_at: "2026-06-01T00:00:00Z", trial_ends_at: "2026-06-16T00:00:00Z" };
    await billing.subscribe(node, plan, trial);
    await billing.calls([organization, "2026-06-05T00:00:00Z", "60"], [organization, "2026-06-06T00:00:00Z", "500"]);
    expect(await entitlementAt(node, "2026-06-05T12:00:00Z")).toMatchObject({
      used: "60",
      limit: "100",
      allowed: true,
    });
    expect(await entitlementAt(node, "2026-06-15T23:59:59.999Z")).toMatchObject({
      used: "560",
      reason: "limit_reached",
    });
    expect((await quotaAt(node, "2026-06-15T00:00:00Z")).counted).toEqual({
      from: "2026-06-01T00:00:00Z",
      to: "2026-06-16T00:00:00Z",
      is_trial: true,
    });
    // Half of the cycle is paid for.
    const paid = { used: "0", limit: "50", status: "under" };
    expect(await entitlementAt(node, "2026-06-16T00:00:00Z")).toMatchObject({ ...paid, reason: "within_limit" });
    expect(await quotaAt(node, "2026-06-16T00:00:00Z")).toMatchObject({
      counted: { from: "2026-06-16T00:00:00Z", to: "2026-07-01T00:00:00Z", is_trial: false },
      quota: { ...paid, hit_at: null },
    });
  });

  test("beyond the end of a cycle it goes on as one span, with the plan's limit once", async () => {
    const { organization, node } = await newOrganization();
    const plan = await billing.plan(partner, limited("100", "block"));
    const trial = { starts_at: "2026-01-20T00:00:00Z", anchor: 1, trial_ends_at: "2026-02-10T00:00:00Z" };
    await billing.subscribe(node, plan, trial);
    await billing.calls([organization, "2026-01-25T00:00:00Z", "60"], [organization, "2026-02-03T00:00:00Z", "60"]);
    const counted = { from: "2026-01-20T00:00:00Z", to: "2026-02-10T00:00:00Z", is_trial: true };
    expect(await quotaAt(node, "2026-02-05T00:00:00Z")).toMatchObject({
      counted,
      quota: { used: "120", limit: "100", status: "over" },
    });
    expect(await entitlementAt(node, "2026-02-05T00:00:00Z")).toMatchObject({
      used: "120",
      limit: "100",
      reason: "limit_reached",
    });
    expect(await entitlementAt(node, "2026-02-10T00:00:00Z")).toMatchObject({ used: "0", reason: "within_limit" });
  });

  test("a plan that is to come with the next cycle governs nothing before it is there", async () => {
    const trial = { starts_at: "2026-03-01T00:00:00Z", trial_ends_at: "2026-04-15T00:00:00Z", anchor: 1 };
    const [plan, without] = [limited("1000", "block"), { currency: "EUR" }];
    const endless = { ...plan, features: [{ key: "calls", meter: "call_minutes" }] };
    for (const [next, limit, reason] of [
      [without, "688.888889", "not_in_plan"],
      [endless, "1000", "unlimited"],
    ] as const) {
      const { node } = await newOrganization();
      const id = await billing.subscribe(node, await billing.plan(partner, plan), trial);
      await billing.changePlan(id, await billing.plan(partner, next), "2026-04-01T00:00:00Z");
      let nowMs = Date.parse("2026-03-31T23:59:59.999Z");
      const asker = new Entitlements({ ...billing.world.deps, meterOf: meterByName, now: () => nowMs });
      expect(await asker.ask(node, "calls")).toMatchObject({ allowed: true, reason: "within_limit", limit });
      expect((await quotaAt(node, "2026-03-10T00:00:00Z")).quota).toMatchObject({ feature: "calls", limit });
      nowMs++;
      expect((await asker.ask(node, "calls")).reason).toBe(reason);
    }
  });

  test("nothing beyond its limits is said to be billed", async () => {
    const { organization, node } = await newOrganization();
    const plan = await billing.plan(partner, {
      ...perMinute("EUR", { organization: "0.10" }),
      features: [{ ...perMinute("EUR", { organization: "0.10" }).features[0], included: "10" }],
    });
    await billing.subscribe(node, plan, { starts_at: "2026-06-01T00:00:00Z", trial_ends_at: "2026-06-16T00:00:00Z" });
    await billing.calls([organization, "2026-06-05T00:00:00Z", "60"], [organization, "2026-06-20T00:00:00Z", "60"]);
    expect(await entitlementAt(node, "2026-06-10T00:00:00Z")).toMatchObject({
      allowed: true,
      reason: "overage_in_trial",
      used: "60",
    });
    expect(await entitlementAt(node, "2026-06-21T00:00:00Z")).toMatchObject({
      allowed: true,
      reason: "overage_billed",
      used: "60",
    });
  });
});

test("where nothing is included, nothing used is under, and no answer says that it was reached", async () => {
  const { organization, node } = await newOrganization();
  const plan = await billing.plan(partner, limited("0", "block", { grace_hours: 24 }));
  await billing.subscribe(node, plan, { starts_at: "2026-06-01T00:00:00Z" });
  expect(await entitlementAt(node, "2026-06-10T00:00:00Z")).toMatchObject({
    allowed: false,
    reason: "nothing_included",
    used: "0",
    status: "under",
  });
  expect((await quotaAt(node, "2026-06-10T00:00:00Z")).quota).toMatchObject({ status: "under", hit_at: null });
  await billing.calls([organization, "2026-06-12T00:00:00.5Z", "1"]);
  expect((await quotaAt(node, "2026-06-13T12:00:00Z")).quota).toMatchObject({
    status: "over",
    hit_at: "2026-06-12T00:00:00.500Z",
  });
  expect(await entitlementAt(node, "2026-06-13T12:00:00Z")).toMatchObject({ reason: "limit_reached", status: "over" });
});

test("trials, changes of plan, cancellations and anchors in any mixture: period, entitlements, charges and standings agree", async () => {
  const draw = random(20_261_129);
  const plans = await Promise.all(
    ["100", "40", "250"].map(async (included) => {
      const terms = perMinute("EUR", { organization: "0.10" }, { fixed_fee: { organization: "30" } });
      const features = [{ ...terms.features[0], included }];
      return { id: await billing.plan(partner, { ...terms, features }), included: Number(included) };
    }),
  );
  const planOf = () => plans[draw(plans.length)] ?? { id: "", included: 0 };
  for (let turn = 0; turn < 12; turn++) {
    const { organization, node } = await newOrganization();
    const startMs = Date.parse("2026-04-01T00:00:00Z") + draw(25) * dayMs;
    const trialMs = draw(3) === 0 ? undefined : startMs + Math.floor((1 + draw(50_000) / 1_000) * dayMs);
    const history = [{ fromMs: startMs, ...planOf() }];
    const first = history[0]?.id ?? "";
    const id = await billing.subscribe(node, first, {
      starts_at: new Date(startMs).toISOString(),
      anchor: [1, 15, 29, 31][draw(4)],
      ...(trialMs !== undefined && { trial_ends_at: new Date(trialMs).toISOString() }),
    });
    for (let change = draw(3), ms = startMs; change > 0; change--) {
      ms += (3 + draw(25)) * dayMs + draw(1_000);
      history.push({ fromMs: ms, ...planOf() });
      await billing.changePlan(id, history.at(-1)?.id ?? "", new Date(ms).toISOString());
    }
    const calls = Array.from({ length: 12 }, () => ({ ms: startMs + draw(80 * dayMs), minutes: 1 + draw(60) }));
    await billing.calls(
      ...calls.map(
        ({ ms, minutes }) => [organization, new Date(ms).toISOString(), String(minutes)] as [string, string, string],
      ),
    );
    const nowMs = startMs + (2 + draw(75)) * dayMs + draw(dayMs);
    const cancelMs = draw(2) === 0 ? nowMs + 1 + draw(20 * dayMs) : Number.POSITIVE_INFINITY;
    if (Number.isFinite(cancelMs)) {
      const { db } = billing.source.postgres;
      await db
        .update(subscriptions)
        .set({ cancelledAt: new Date(cancelMs) })
        .where(eq(subscriptions.id, id));
    }
    const [subscription] = await subscriptionsOf(billing.source.postgres.db, node);
    if (!subscription) throw new Error("there is a subscription");
    const now = new Date(nowMs).toISOString();
    const period = await readPeriod(billing.source, node, 0, nowMs);
    const [cycleStart, cycleEnd] = [Date.parse(period.start), Date.parse(period.end)];
    const isTrial = trialMs !== undefined && nowMs < trialMs;
    const fromMs = isTrial ? startMs : Math.max(cycleStart, startMs, trialMs ?? 0);
    const toMs = Math.min(cancelMs, isTrial ? trialMs : cycleEnd);
    const usedIn = (from: number, to: number, atMs = nowMs) =>
      calls.filter(({ ms }) => from <= ms && ms < Math.min(to, atMs)).reduce((sum, { minutes }) => sum + minutes, 0);
    const parts = history.flatMap(({ fromMs: since, included }, index) => {
      const [from, to] = [Math.max(fromMs, since), Math.min(toMs, history[index + 1]?.fromMs ?? toMs)];
      return from < to ? [{ from, to, included }] : [];
    });
    const wholeMs = isTrial ? toMs - fromMs : cycleEnd - cycleStart;
    const limit = parts.reduce((sum, { from, to, included }) => sum + (included * (to - from)) / wholeMs, 0);
    const about = JSON.stringify({ turn, now, cancelMs, startMs, trialMs, history, period });
    const [quota] = period.quotas;
    expect(quota?.used, about).toBe(String(usedIn(fromMs, toMs)));
    expect(Number(quota?.limit), about).toBeCloseTo(limit, 5);
    expect(period.counted?.is_trial, about).toBe(isTrial);
    const asked = await entitlementAt(node, now);
    expect([asked.used, asked.status], about).toEqual([quota?.used, quota?.status]);
    if (asked.reason === "within_limit") expect(Number(asked.used), about).toBeLessThan(Number(asked.limit));
    else expect(asked.reason, about).toBe(isTrial ? "overage_in_trial" : "overage_billed");
    const spanNow = countedSpan(subscription, { startMs: cycleStart, endMs: cycleEnd }, nowMs);
    expect([spanNow?.fromMs, spanNow?.toMs], about).toEqual([fromMs, toMs]);
    const terms = await readTerms(billing.source.postgres.db, subscription.history);
    const rest = { sequence: 0, planNames: new Map(), models: [], users: new Map(), userCounts: new Map() };
    const { standings } = await readStandings(billing.source, { ...rest, terms, subscriptions: [subscription] }, nowMs);
    expect(standings.get(node)?.quota?.status, about).toBe(quota?.status);
    // What is paid for costs its part of the fee, and what was used in it beyond its part of what is included.
    const paidFromMs = Math.max(cycleStart, startMs, trialMs ?? 0);
    const paidToMs = Math.min(cycleEnd, cancelMs);
    const costAt = (atMs: number) =>
      history.reduce((sum, { fromMs: since, included }, index) => {
        const [from, to] = [Math.max(paidFromMs, since), Math.min(paidToMs, history[index + 1]?.fromMs ?? paidToMs)];
        if (from >= to) return sum;
        const share = (to - from) / (cycleEnd - cycleStart);
        return sum + 30 * share + Math.max(0, usedIn(from, to, atMs) - included * share) * 0.1;
      }, 0);
    // Up to the end of the cycle they are shown, cancelled or not.
    for (const atMs of [nowMs, cycleEnd - 1]) {
      const charges = await readCharges(billing.source, ofAll(node), atMs);
      expect(charges?.start, about).toBe(period.start);
      expect(Math.abs(Number(charges?.levels[0]?.total ?? 0) - costAt(atMs)), about).toBeLessThan(0.05);
    }
  }
});

const ofAll = (node: string): Parameters<typeof readCharges>[1] => {
  return { node, cyclesAgo: 0, levels: ["organization"], isSeenOnRecord: () => true };
};

test("the charges of a cycle in which the node moved are those of its statements, part by part", async () => {
  await billing.world.deps.tree.createNode({ kind: "reseller", id: "charged-to", name: "x", parent: partner });
  const { organization, node } = await newOrganization();
  const prices = { organization: { model: "package", size: 100, price: "10" } };
  const calls = { key: "calls", meter: "call_minutes", overage: "bill", prices };
  const plan = await billing.plan(partner, { currency: "EUR", features: [calls] });
  await billing.subscribe(node, plan, { starts_at: "2026-03-01T00:00:00Z" });
  await billing.move(node, "reseller:charged-to", "2026-03-16T12:00:00Z");
  await billing.calls([organization, "2026-03-02T00:00:00Z", "110"]);
  await billing.run("2026-04-02T00:00:00Z");
  const totals = (await billing.get(`/v1/statements?node=${node}`)).statements.map(({ total }: Statement) =>
    Number(total),
  );
  expect(totals).toHaveLength(2);
  const atMs = Date.parse("2026-03-31T23:00:00Z");
  const chargedIn = async (isSeenOnRecord: (path: readonly string[]) => boolean) =>
    (await readCharges(billing.source, { ...ofAll(node), isSeenOnRecord }, atMs))?.levels[0]?.total;
  const charges = await readCharges(billing.source, ofAll(node), atMs);
  expect(Number(charges?.levels[0]?.total)).toBe(totals[0] + totals[1]);
  // Above the node, who had it later learns nothing of what it was charged before, nor the other way round.
  const isNow = (path: readonly string[]) => path.includes("reseller:charged-to");
  const ofEach = [await chargedIn(isNow), await chargedIn((path) => !isNow(path))].map(Number);
  expect(ofEach.toSorted()).toEqual(totals.toSorted());
  expect(Number(charges?.levels[0]?.total)).not.toBe(20);
});

standingsOfMany(() => billing);

manyPastChanges(() => billing);
