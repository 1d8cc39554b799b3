/** Reports of billing cycles whose statements are open, in the world of schedule-slots.test.ts. */
import { expect, test } from "vitest";
import { system } from "../../../server/audit/record-change.ts";
import { planTermsSchema } from "../../../server/contract/plans.ts";
import type { Postgres } from "../../../server/postgres/client.ts";
import { plans, planVersions, subscriptionPlans, subscriptions } from "../../../server/postgres/schema/plans.ts";
import type { scheduleSlots } from "../../../server/postgres/schema/schedules.ts";
import { statements } from "../../../server/postgres/schema/statements.ts";
import { createSchedule } from "../../../server/reports/schedules.ts";
import type { ScheduleRecord } from "../../../server/reports/timing.ts";
import type { NodeTree } from "../../../server/tree/node-tree.ts";
import { wanted } from "./scheduled-runs.ts";

interface ScheduleTools {
  postgres: Postgres;
  tree: NodeTree;
  advanceAt(nowMs: number): Promise<void>;
  slotsOf(schedule: ScheduleRecord): Promise<(typeof scheduleSlots.$inferSelect)[]>;
  pause(schedule: ScheduleRecord, nowMs: number): Promise<unknown>;
}

export function cycleReports(toolsOf: () => ScheduleTools): void {
  test("a cycle's usage is sent when the cycle is over, whatever statement of it is open, and its bill once that has closed", async () => {
    const { postgres, tree, advanceAt, slotsOf, pause } = toolsOf();
    const { db } = postgres;
    const [reseller, node] = ["reseller:closing", "organization:closing"];
    await tree.createNode({ kind: "reseller", id: "closing", name: "Closing", parent: "all" });
    await tree.createNode({ kind: "organization", id: "closing", name: "Closing", parent: reseller });
    const [id, planId, startsAt] = ["sub_closing", "plan_closing", new Date("2020-08-01T00:00:00Z")];
    const terms = planTermsSchema.parse({ currency: "EUR" });
    await db.insert(plans).values({ id: planId, node: reseller, name: "Closing", offered: false });
    await db.insert(planVersions).values({ planId, version: 1, terms, publishedAt: startsAt });
    await db.insert(subscriptions).values({ id, node, anchor: 1, tz: "UTC", startsAt, renews: true });
    await db.insert(subscriptionPlans).values({ subscriptionId: id, planId, version: 1, validFrom: startsAt });
    const asked = { node, every: "cycle" as const, at: "08:00" };
    const startMs = Date.UTC(2020, 7, 20);
    const usage = await createSchedule(postgres, tree, wanted(asked), system, startMs);
    const bill = await createSchedule(postgres, tree, wanted({ ...asked, report: "billing" }), system, startMs);

    await advanceAt(Date.UTC(2020, 8, 1, 8));
    const partTo = new Date("2020-09-01T00:00:00Z");
    expect(await slotsOf(usage)).toMatchObject([{ state: "sent", fromAt: startsAt, toAt: partTo }]);
    await advanceAt(Date.UTC(2020, 8, 4));
    expect(await slotsOf(bill)).toMatchObject([{ state: "waiting", run: null, toAt: partTo }]);
    const cycle = { cycleStart: startsAt, cycleEnd: partTo, partFrom: startsAt, partTo, tz: "UTC" };
    const empty = { segments: [], chargedSegments: [], usage: [], charges: [], total: "0" };
    const about = { kind: "subscription" as const, node, path: [node, reseller, "all"], currency: "EUR" };
    const at = { closedAt: partTo, paymentAt: partTo };
    await db.insert(statements).values({ id: "stm_closing", subscriptionId: id, ...about, ...cycle, ...empty, ...at });
    await advanceAt(Date.UTC(2020, 8, 4, 1));
    expect(await slotsOf(bill)).toMatchObject([{ run: expect.any(String) }]);
    for (const one of [usage, bill]) await pause(one, startMs);
  });
}
