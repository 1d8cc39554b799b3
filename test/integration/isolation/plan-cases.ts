/** Plans, subscriptions and what is charged by them. */

import { randomUUID } from "node:crypto";
import { system } from "../../../server/audit/record-change.ts";
import { createModel } from "../../../server/billing/models.ts";
import { createPlan, publishPlan } from "../../../server/billing/plans.ts";
import { createSubscription } from "../../../server/billing/subscriptions.ts";
import { planTermsSchema } from "../../../server/contract/plans.ts";
import { askedAbout, inside, type World } from "../../support/isolation-world.ts";
import { askedOf, ofOne, type RouteCase } from "./route-case.ts";

const terms = planTermsSchema.parse({
  currency: "EUR",
  fixed_fee: { organization: "10" },
  features: [{ key: "posts", meter: "chat_posts", included: "5", overage: "block" }],
});

async function planInside({ deps: { postgres, tree } }: World, isPublished: boolean): Promise<string> {
  const { id } = await createPlan(postgres, tree, { node: inside, name: "A plan", offered: false, terms }, system);
  if (isPublished) await publishPlan(postgres, id, { by: system, check: () => undefined });
  return id;
}

let subscription: Promise<string> | undefined;
/** A node has one at a time: all callers ask for the same. */
function subscriptionInside(world: World): Promise<string> {
  subscription ??= subscribeInside(world);
  return subscription;
}

async function subscribeInside(world: World): Promise<string> {
  const planId = await planInside(world, true);
  const when = { startsAt: new Date("2026-01-01T00:00:00Z"), trialEndsAt: null, expiresAt: null, renews: true };
  const wanted = { node: inside, planId, version: 1, anchor: 1, tz: "UTC", ...when };
  return (await createSubscription(world.deps.postgres, wanted, system)).id;
}

export const planCases: readonly RouteCase[] = [
  { route: "GET /v1/plans", needs: "read", allowed: 200, elsewhere: "nothing" },
  {
    route: "POST /v1/plans",
    needs: "plans:write",
    request: () => ({ body: { name: "A plan", node: inside, currency: "EUR" } }),
    allowed: 201,
    elsewhere: 403,
  },
  ofOne("GET /v1/plans/{id}", "read", 200, (world) => planInside(world, false)),
  ofOne("PATCH /v1/plans/{id}", "plans:write", 200, (world) => planInside(world, false), { name: "Renamed" }),
  ofOne("POST /v1/plans/{id}/publish", "plans:write", 200, (world) => planInside(world, false)),
  { route: "GET /v1/subscriptions", needs: "read", allowed: 200, elsewhere: "nothing" },
  {
    route: "POST /v1/subscriptions",
    needs: "plans:write",
    request: async (world) => {
      await subscriptionInside(world);
      return { body: { node: inside, plan: await planInside(world, true) } };
    },
    // It has one already.
    allowed: 409,
    elsewhere: 403,
  },
  ofOne("GET /v1/subscriptions/{id}", "read", 200, subscriptionInside),
  ofOne("PATCH /v1/subscriptions/{id}", "plans:write", 200, subscriptionInside, { renews: true }),
  askedOf("GET /v1/period", "read", `node=${inside}`),
  {
    route: "GET /v1/entitlements/{feature}",
    needs: "read",
    request: () => ({ path: `/v1/entitlements/posts?node=${inside}` }),
    allowed: 200,
    elsewhere: 403,
  },
  {
    route: "GET /v1/charges",
    needs: "prices:read",
    request: async (world) => {
      await subscriptionInside(world);
      return { path: `/v1/charges?node=${inside}` };
    },
    allowed: 200,
    elsewhere: 403,
  },
  askedOf("GET /v1/organizations", "read", `node=${askedAbout}`),
  askedOf("GET /v1/overview", "read", `node=${askedAbout}`),
  askedOf("GET /v1/models", "read", `node=${askedAbout}`),
  {
    route: "POST /v1/models",
    needs: "meters:write",
    request: () => ({ body: { model: randomUUID(), name: "M", node: inside } }),
    allowed: 201,
    elsewhere: 403,
  },
  ...(["GET", "PATCH", "DELETE"] as const).map(
    (method): RouteCase => ({
      route: `${method} /v1/models/{id}`,
      needs: method === "GET" ? "read" : "meters:write",
      request: async ({ deps: { postgres, tree } }) => {
        const wanted = { node: inside, model: randomUUID(), name: "M", tier: "custom" as const, description: "" };
        const { id } = await createModel(postgres, tree, wanted, system);
        return { path: `/v1/models/${id}`, ...(method === "PATCH" && { body: { name: "N" } }) };
      },
      allowed: method === "DELETE" ? 204 : 200,
      elsewhere: 404,
    }),
  ),
];
