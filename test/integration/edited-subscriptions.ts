/** Trials and ends that are moved in the past, after their statements were closed. */
import { expect, test } from "vitest";
import { closeStatements } from "../../server/billing/statements/close-statements.ts";
import type { Statement } from "../../server/contract/statements.ts";
import { subscriptions } from "../../server/postgres/schema/plans.ts";
import { type Billing, perMinute } from "../support/billing.ts";

export function editedSubscriptions(billingOf: () => Billing, newOrganization: () => Promise<{ node: string }>): void {
  const partner = "partner:above-9f3c";
  const fee = { fixed_fee: { organization: "100", reseller: "60" } };

  async function subscribed() {
    const billing = billingOf();
    const { node } = await newOrganization();
    const plan = await billing.plan(partner, perMinute("EUR", { organization: "0.10" }, fee));
    const id = await billing.subscribe(node, plan, { starts_at: "2026-01-01T00:00:00Z", anchor: 1 });
    const edit = async (body: object) => {
      const answer = await billing.world.ask("PATCH", `/v1/subscriptions/${id}`, { key: billing.key, body });
      expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 200 });
    };
    const totals = async () => {
      const { statements } = await billing.get(`/v1/statements?node=${node}&limit=1000`);
      const own = statements.filter((one: Statement) => one.node === node).reverse();
      return own.map((one: Statement) => [one.kind, one.from.slice(0, 10), one.total, one.adjusted_total]);
    };
    return { node, id, edit, totals };
  }

  test("a trial that is moved after the closing is given back or charged once, with the next statement", async () => {
    const billing = billingOf();
    const { node, edit, totals } = await subscribed();
    await billing.calls([node.slice("organization:".length), "2026-01-10T00:00:00Z", "10"]);
    await billing.run("2026-02-03T00:00:00Z");
    // Half of January.
    await edit({ trial_ends_at: "2026-01-16T12:00:00Z" });
    await billing.run("2026-02-04T00:00:00Z");
    expect(await totals()).toEqual([["subscription", "2026-01-01", "101.00", "50.00"]]);
    await edit({ trial_ends_at: "2026-02-01T00:00:00Z" });
    await billing.run("2026-02-05T00:00:00Z");
    expect(await totals()).toEqual([["subscription", "2026-01-01", "101.00", "0.00"]]);
    await billing.run("2026-03-03T00:00:00Z");
    await edit({ trial_ends_at: null });
    for (const time of ["2026-03-04", "2026-03-05", "2026-04-03", "2026-04-04"]) await billing.run(`${time}T00:00:00Z`);
    expect(await totals()).toEqual([
      ["subscription", "2026-01-01", "101.00", "101.00"],
      ["subscription", "2026-02-01", "-1.00", "-1.00"],
      ["subscription", "2026-03-01", "201.00", "201.00"],
    ]);
  });

  test("an end that is moved before closed statements gives back what they charged after it", async () => {
    const billing = billingOf();
    const { edit, totals } = await subscribed();
    await billing.run("2026-03-03T00:00:00Z");
    await edit({ expires_at: "2026-02-01T00:00:00Z", renews: false });
    for (const time of ["2026-03-04", "2026-03-06", "2026-03-08"]) await billing.run(`${time}T00:00:00Z`);
    expect(await totals()).toEqual([
      ["subscription", "2026-01-01", "100.00", "100.00"],
      ["subscription", "2026-02-01", "100.00", "0.00"],
      ["correction", "2026-03-06", "-100.00", "-100.00"],
    ]);
  });

  test("a statement is never closed by dates that were edited while it was measured", async () => {
    const billing = billingOf();
    const { id, edit, totals } = await subscribed();
    const { source } = billing;
    let isEdited = false;
    const postgres: typeof source.postgres = {
      ...source.postgres,
      async transaction(work, kind) {
        if (!isEdited) await edit({ trial_ends_at: "2026-01-16T12:00:00Z" });
        isEdited = true;
        return await source.postgres.transaction(work, kind);
      },
    };
    const only = { ...source, postgres };
    await billing.run("2026-02-01T00:00:00Z");
    await closeStatements(only, Date.parse("2026-02-03T00:00:00Z"));
    const [edited] = (await source.postgres.db.select().from(subscriptions)).filter((one) => one.id === id);
    expect([isEdited, edited?.trialEndsAt]).toEqual([true, new Date("2026-01-16T12:00:00Z")]);
    expect(await totals()).toEqual([]);
    await billing.run("2026-02-03T00:00:00Z");
    expect(await totals()).toEqual([["subscription", "2026-01-01", "50.00", "50.00"]]);
  });
}
