/** Statements, their payment, and what another plan would have come to. */
import { newId } from "../../../server/identity/actor.ts";
import { statements } from "../../../server/postgres/schema/statements.ts";
import { signedMessage } from "../../support/billing.ts";
import { inside, type World } from "../../support/isolation-world.ts";
import { listWith, ofOne, type RouteCase } from "./route-case.ts";

/** A closed one, of its own cycle. */
async function statementInside({ deps: { postgres, tree } }: World): Promise<string> {
  const [id, from, to] = [newId("stm"), new Date("2026-01-01T00:00:00Z"), new Date("2026-02-01T00:00:00Z")];
  const money = { currency: "EUR", total: "10.00", charges: [] };
  const times = { cycleStart: from, cycleEnd: to, partFrom: from, partTo: to, closedAt: to, paymentAt: to, tz: "UTC" };
  const nothing = { segments: [], chargedSegments: [], usage: [] };
  const about = { id, kind: "subscription" as const, node: inside, path: tree.ancestors(inside), subscriptionId: id };
  await postgres.db.insert(statements).values({ ...about, ...money, ...times, ...nothing });
  return id;
}

export const statementCases: readonly RouteCase[] = [
  listWith("GET /v1/statements", "read", statementInside),
  ofOne("GET /v1/statements/{id}", "read", 200, statementInside),
  ofOne("POST /v1/statements/{id}/payment", "payments:write", 200, statementInside, { status: "paid" }),
  {
    route: "POST /v1/payment-messages",
    needs: "nothing",
    request: async (world) =>
      signedMessage({ type: "statement.payment", data: { statement: await statementInside(world), status: "paid" } }),
    allowed: 200,
    elsewhere: "the same",
  },
  {
    route: "POST /v1/what-if",
    needs: "prices:read",
    request: () => ({ body: { node: inside, cycles: 1, terms: { currency: "EUR" } } }),
    allowed: 200,
    elsewhere: 403,
  },
];
