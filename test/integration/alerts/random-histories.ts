/** Whatever happens to usage, plans and the service, on real stores: against an oracle nobody is notified twice in a cycle, and nothing is forgotten. */
import { and, eq, inArray } from "drizzle-orm";
import fc from "fast-check";
import { expect, test } from "vitest";
import { readPeriod } from "../../../server/billing/period.ts";
import { alerts, notifications } from "../../../server/postgres/schema/alerts.ts";
import { type AlertsWorld, dayMs, type WatchedOrganization } from "../../support/alerts-world.ts";

const thresholds = [50, 75, 90, 100];
const rounds = 10;
const firstMs = Date.parse("2026-03-12T12:00:00Z");
const stepMs = 3 * dayMs;

type Step = { do: "use"; amount: number } | { do: "correct" } | { do: "plan"; place: number } | { do: "nothing" };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("use" as const), amount: fc.integer({ min: 1, max: 90 }) }) },
  { weight: 4, arbitrary: fc.constant<Step>({ do: "correct" }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("plan" as const), place: fc.nat({ max: 2 }) }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: "nothing" }) },
);
/** With this seed several thresholds resolve and hold again within a cycle, and several are crossed while the service is away. */
const histories = fc.sample(fc.array(anyStep, { minLength: rounds, maxLength: rounds }), {
  seed: 26,
  numRuns: 6,
});
/** The service is away: what happens is evaluated after it, the end of a cycle among it. */
const outages = new Set([2, 6, 7]);

interface Used {
  id: string;
  atMs: number;
  amount: number;
}

export function randomHistories(worldOf: () => AlertsWorld): void {
  test("of random usage, corrections, plans, ends of cycles and outages nothing is notified twice, and nothing that held is forgotten", async () => {
    const world = worldOf();
    const { billing } = world;
    const { deps, ask } = billing.world;
    const { db } = deps.postgres;
    const source = { ...deps, meterOf: billing.source.meterOf, watermark: () => new Date(world.nowMs) };
    const features = (included: string) => [{ key: "calls", meter: "call_minutes", included, overage: "notify" }];
    const plans: string[] = [];
    for (const included of ["60", "100", "240"])
      plans.push(await billing.plan("all", { currency: "EUR", features: features(included) }));
    const made: (WatchedOrganization & { used: Used[]; owed: Map<number, number> })[] = [];
    for (const _ of histories) made.push({ ...(await world.newOrganization("100")), used: [], owed: new Map() });

    /** What people are owed by then: by the cycle's start, the highest threshold that was seen to hold. */
    const held = async ({ node, used }: (typeof made)[number], atMs: number) => {
      const period = await readPeriod(source, node, 0, atMs);
      const startMs = Date.parse(period.start);
      const limit = Number(period.quotas[0]?.limit);
      const sum = used.reduce((all, one) => all + (one.atMs >= startMs && one.atMs < atMs ? one.amount : 0), 0);
      return { startMs, holding: thresholds.filter((percent) => sum > 0 && sum * 100 >= limit * percent) };
    };
    const note = async (one: (typeof made)[number], atMs: number) => {
      const { startMs, holding } = await held(one, atMs);
      one.owed.set(startMs, Math.max(one.owed.get(startMs) ?? 0, holding.at(-1) ?? 0));
    };

    let evaluatedMs = firstMs - stepMs;
    let sent = 0;
    for (let round = 0; round < rounds; round++) {
      const atMs = firstMs + round * stepMs;
      const events: object[] = [];
      const voided: { organization: string; id: string }[] = [];
      for (const [place, one] of made.entries()) {
        const step = histories[place]?.[round];
        if (step?.do === "use") {
          const id = `random-${++sent}`;
          one.used.push({ id, atMs: atMs - dayMs, amount: step.amount });
          const time = new Date(atMs - dayMs).toISOString();
          events.push({ id, type: "call.completed", organization: one.organization, time, value: `${step.amount}` });
        }
        const gone = step?.do === "correct" ? one.used.pop() : undefined;
        if (gone) voided.push({ organization: one.organization, id: gone.id });
        if (step?.do === "plan")
          await billing.changePlan(one.subscription, plans[step.place] ?? "", new Date(atMs - dayMs).toISOString());
      }
      if (events.length > 0) await billing.send(events);
      for (const { organization, id } of voided) {
        const body = { organization, reason: "it never was" };
        const answer = await ask("POST", `/v1/events/${id}/void`, { key: billing.key, body });
        expect([200, 202]).toContain(answer.status);
      }
      if (voided.length > 0) await deps.corrections.applyPending();
      if (outages.has(round)) continue;
      await world.evaluate(atMs);
      for (const one of made) {
        const { startMs } = await held(one, atMs);
        if (startMs > evaluatedMs) await note(one, startMs - 1);
        await note(one, atMs);
      }
      evaluatedMs = atMs;
    }

    for (const one of made) {
      const rows = await db
        .select()
        .from(notifications)
        .innerJoin(alerts, eq(alerts.id, notifications.alertId))
        .where(eq(alerts.node, one.node))
        .orderBy(notifications.at, notifications.id);
      const reader = rows[0]?.notifications.userId;
      const messages = rows
        .filter((row) => row.notifications.userId === reader)
        .map(({ notifications: { type }, alerts: { periodStart, threshold } }) => {
          return { cycle: periodStart?.getTime() ?? 0, threshold: Number(threshold), type };
        });
      const keys = messages.map(({ cycle, threshold, type }) => `${cycle} ${threshold} ${type}`);
      expect(keys, `${one.node}: ${keys}`).toEqual([...new Set(keys)]);
      for (const [cycle, highest] of one.owed) {
        const fired = messages.filter((message) => message.cycle === cycle && message.type === "alert.firing");
        const most = Math.max(0, ...fired.map(({ threshold }) => threshold));
        expect([one.node, cycle, most]).toEqual([one.node, cycle, Math.max(most, highest)]);
      }
      for (const [place, { cycle, threshold, type }] of messages.entries())
        if (type === "alert.resolved")
          expect(keys.slice(0, place).some((key) => key === `${cycle} ${threshold} alert.firing`)).toBe(true);
      const { startMs, holding } = await held(one, world.nowMs);
      const states = and(eq(alerts.node, one.node), inArray(alerts.state, ["firing", "no_data", "pending"]));
      const open = await db.select().from(alerts).where(states);
      const shown = open.map(({ threshold, periodStart }) => [Number(threshold), periodStart?.getTime()]);
      expect(shown.sort((a, b) => Number(a[0]) - Number(b[0]))).toEqual(holding.map((percent) => [percent, startMs]));
    }
  });
}
