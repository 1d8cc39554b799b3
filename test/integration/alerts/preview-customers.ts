/** What previews tell of customers and their bills. */
import { describe, expect, test } from "vitest";
import { previewBilling, previewCustomers } from "../../../server/alerts/preview-customers.ts";
import type { Would } from "../../../server/alerts/preview-entry.ts";
import { type ConditionInput, customerConditions } from "../../../server/contract/rules.ts";
import type { Statement } from "../../../server/contract/statements.ts";
import { statementPayments } from "../../../server/postgres/schema/statements.ts";
import { type AlertsWorld, seller } from "../../support/alerts-world.ts";

export function customerPreviews(worldOf: () => AlertsWorld): void {
  describe("a preview of customers and bills tells what was recorded", () => {
    test("creations and changes, of nodes that stood below at the time", async () => {
      const world = worldOf();
      const { deps } = world.billing.world;
      const fromMs = Date.now() - 1;
      const { node } = await world.newOrganization("100");
      const set = async (body: object) =>
        expect(await world.ask("PATCH", `/v1/nodes/${encodeURIComponent(node)}`, body)).toMatchObject({ status: 200 });
      await set({ status: "suspended" });
      await set({ parent: "reseller:sibling-9f3c" });
      await set({ status: "active" });
      const told = async (top: string) => {
        const condition = { kind: "customers" as const, on: [...customerConditions], days_before: 3 };
        const would = await previewCustomers(deps, condition, top, { fromMs, toMs: Date.now() + 60_000 });
        return would.filter((one) => one.node === node).map(({ explanation }) => explanation);
      };
      expect(await told(seller)).toEqual([
        expect.stringMatching(/^The organization watched-\d+ was created\.$/),
        "A subscription started.",
        "The status changed from active to suspended.",
      ]);
      expect(await told("reseller:sibling-9f3c")).toEqual(["The status changed from suspended to active."]);
    });

    test("payments that failed or were overdue, by what was known at each instant", async () => {
      const world = worldOf();
      const { billing } = world;
      const { db } = billing.world.deps.postgres;
      const plan = await billing.plan("all", { currency: "EUR", fixed_fee: { organization: "10" } });
      const when = { starts_at: "2026-05-01T00:00:00Z", anchor: 1, tz: "UTC" };
      const nodes = await Promise.all([0, 1, 2].map(async () => (await world.newOrganization()).node));
      for (const node of nodes) await billing.subscribe(node, plan, when);
      await billing.run("2026-06-03T00:00:00Z");
      const idOf = async (node: string) => {
        const { statements } = await billing.get(`/v1/statements?node=${node}&kind=subscription`);
        return statements.find((one: Statement) => one.node === node)?.id;
      };
      const [, paid = "", failed = ""] = await Promise.all(nodes.map(idOf));
      const payments = [
        [paid, "paid", "06-10"],
        [failed, "failed", "06-10"],
        [failed, "open", "06-20"],
      ] as const;
      for (const [index, [statementId, status, day]] of payments.entries()) {
        const at = new Date(`2026-${day}T00:00:00Z`);
        const row = { id: `pay_preview_${index}`, statementId, status, at, recordedAt: at, actorName: "x" };
        await db.insert(statementPayments).values(row);
      }
      const told = async (from: string) => {
        const condition = { kind: "billing" as const, on: ["payment_failed" as const, "payment_overdue" as const] };
        const span = { fromMs: Date.parse(from), toMs: Date.parse("2026-07-01T00:00:00Z") };
        const would = await previewBilling(billing.world.deps, { ...condition, days_before: 3 }, seller, span);
        const own = would.filter((one) => nodes.includes(one.node));
        return own.map(({ node, at, explanation }: Would) => [
          nodes.indexOf(node),
          at.slice(5, 10),
          explanation.split(" for the")[0],
        ]);
      };
      const overdue = "No payment is recorded";
      const later = [
        [0, "06-17", overdue],
        [2, "06-20", overdue],
      ];
      expect(await told("2026-06-01")).toEqual([[2, "06-10", "The payment failed"], ...later]);
      expect(await told("2026-06-11")).toEqual(later);
    });

    test("what was nearing then is not told, and the answer says that it is not complete", async () => {
      const isComplete = async (condition: ConditionInput) => {
        const asked = { rule: { node: seller, condition }, from: "2026-02-01", to: "2026-02-02" };
        const answer = await worldOf().ask("POST", "/v1/rules/preview", asked);
        expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 200 });
        return answer.body.is_complete;
      };
      expect(await isComplete({ kind: "customers", on: ["organization_created", "status_changed"] })).toBe(true);
      expect(await isComplete({ kind: "customers" })).toBe(false);
      expect(await isComplete({ kind: "billing", on: ["payment_failed", "payment_overdue"] })).toBe(true);
      expect(await isComplete({ kind: "billing", on: ["subscription_expiring"] })).toBe(false);
    });
  });
}
