/** More changes of the past than one statement of Postgres takes, and than one tenant's share of a run. */
import { expect, test, vi } from "vitest";
import { adjustStatements } from "../../server/billing/statements/adjust-statements.ts";
import { closeStatements } from "../../server/billing/statements/close-statements.ts";
import {
  announcedSince,
  announcePastChanges,
  confirmPastChanges,
  forgetPastChanges,
  unconfirmedCauses,
  visiblePastChanges,
} from "../../server/postgres/past-changes.ts";
import { statementProgress } from "../../server/postgres/schema/statements.ts";
import { type Billing, perMinute } from "../support/billing.ts";

export function manyPastChanges(billingOf: () => Billing): void {
  test("what times out of as many organizations as there may be is announced, confirmed, measured and forgotten together", async () => {
    const { postgres } = billingOf().world.deps;
    const { db } = postgres;
    // Five parameters each: more than one statement binds.
    const changes = Array.from({ length: 14_000 }, (_, place) => {
      return { node: `organization:timed-out-${place}`, fromMs: Date.parse("2026-01-01"), toMs: null };
    });
    await postgres.transaction((tx) => announcePastChanges(tx, "expiry:many", changes));
    expect(await unconfirmedCauses(db, "expiry:many")).toEqual(["expiry:many"]);
    expect((await announcedSince(db, ["expiry:many"])).size).toBe(changes.length);
    await confirmPastChanges(db, "expiry:many");
    const seen = (await visiblePastChanges(db, [], changes.length + 1)).map(({ number }) => number);
    expect(seen).toHaveLength(changes.length);
    expect(await visiblePastChanges(db, seen, 1)).toEqual([]);
    await forgetPastChanges(db, seen);
    expect(await visiblePastChanges(db, [], 1)).toEqual([]);
  });

  test("however many versions one tenant's meters have, another's statements are measured anew in the same run, by as few statements", async () => {
    const billing = billingOf();
    const { deps } = billing.world;
    const { postgres, tree } = deps;
    await tree.ensureOrganizations(["late-by-a-day"], "reseller:sibling-9f3c");
    const node = "organization:late-by-a-day";
    const plan = await billing.plan("all", perMinute("EUR", { organization: "0.10" }));
    await billing.subscribe(node, plan, {
      starts_at: "2026-01-01T00:00:00Z",
      expires_at: "2026-02-01T00:00:00Z",
      renews: false,
    });
    await billing.run("2026-08-02T00:00:00Z");
    const nowMs = Date.parse("2026-08-03T00:00:00Z");
    await closeStatements(billing.source, nowMs);
    await announcePastChanges(
      postgres.db,
      "meter:many",
      Array.from({ length: 3_000 }, (_, version) => {
        const meter = `own_${version % 50}`;
        return { node: "reseller:asked-about-9f3c", meter, fromMs: Date.parse("2026-01-01") + version, toMs: null };
      }),
    );
    await billing.calls(["late-by-a-day", "2026-01-10T00:00:00Z", "20"]);
    await announcePastChanges(postgres.db, "correction:one", [{ node, fromMs: Date.parse("2026-01-10"), toMs: null }]);
    for (const cause of ["meter:many", "correction:one"]) await confirmPastChanges(postgres.db, cause);
    await postgres.pool.query("UPDATE past_changes SET visible_at = to_timestamp(0)");
    const asked = vi.spyOn(postgres.db, "select");
    // Events say the same: only the changes are to be looked at here.
    await adjustStatements({ ...billing.source, settledBatch: () => 0 }, nowMs);
    const statements = asked.mock.calls.length;
    asked.mockRestore();
    const { statements: closed } = await billing.get(`/v1/statements?node=${node}`);
    expect(closed.map(({ adjusted_total }: { adjusted_total: string }) => Number(adjusted_total))).toEqual([2]);
    expect(statements).toBeLessThan(300);
  });

  test("statements are answered up to when all is in their adjustments, null where that is not known: after an upgrade, and while changes are left over", async () => {
    const billing = billingOf();
    const { db, pool } = billing.world.deps.postgres;
    const knownUntil = async () => (await billing.get("/v1/statements")).watermark;
    const adjust = () => adjustStatements(billing.source, Date.parse("2026-08-04T00:00:00Z"));
    while ((await adjust()) > 0);
    expect(Date.parse(await knownUntil())).toBeGreaterThan(0);
    await db.update(statementProgress).set({ adjustedUntil: null });
    expect(await knownUntil()).toBeNull();
    const changes = Array.from({ length: 20_001 }, () => {
      return { node: "organization:nowhere-9f3c", fromMs: Date.parse("2026-01-01"), toMs: null };
    });
    await announcePastChanges(db, "expiry:more", changes);
    await confirmPastChanges(db, "expiry:more");
    await pool.query("UPDATE past_changes SET visible_at = to_timestamp(0)");
    await adjust();
    expect(await knownUntil()).toBeNull();
    await adjust();
    expect(Date.parse(await knownUntil())).toBeGreaterThan(0);
  });
}
