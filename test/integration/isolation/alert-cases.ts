/** Rules, what they found, and who was notified. */

import { createRule } from "../../../server/alerts/rules.ts";
import { system } from "../../../server/audit/record-change.ts";
import { newId } from "../../../server/identity/actor.ts";
import { alerts } from "../../../server/postgres/schema/alerts.ts";
import { inside, type World } from "../../support/isolation-world.ts";
import { ofOne, type RouteCase } from "./route-case.ts";

const condition = { kind: "no_data", silent_minutes: 60 } as const;

async function ruleInside({ deps: { postgres, tree } }: World): Promise<string> {
  const wanted = { name: "Silent", node: inside, scope: "node", severity: "info", enabled: false } as const;
  const rest = { channels: [], repeatHours: null, mute: [], replaces: null, condition };
  const { id } = await createRule(postgres, tree, { ...wanted, ...rest }, system);
  return id;
}

async function alertInside({ deps: { postgres } }: World): Promise<string> {
  const [id, now] = [newId("alr"), new Date()];
  const about = { ruleId: "rule_gone", ruleName: "Silent", kind: "no_data", severity: "info", subject: id } as const;
  await postgres.db.insert(alerts).values({
    id,
    key: id,
    node: inside,
    place: inside,
    state: "firing",
    at: now,
    firedAt: now,
    watermark: now,
    ...about,
    explanation: `Nothing came of ${inside}.`,
  });
  return id;
}

export const alertCases: readonly RouteCase[] = [
  { route: "GET /v1/rules", needs: "read", allowed: 200, elsewhere: "nothing" },
  {
    route: "POST /v1/rules",
    needs: "rules:write",
    request: () => ({ body: { name: "Silent", node: inside, enabled: false, condition } }),
    allowed: 201,
    elsewhere: 403,
  },
  ofOne("GET /v1/rules/{id}", "read", 200, ruleInside),
  ofOne("PATCH /v1/rules/{id}", "rules:write", 200, ruleInside, { name: "Renamed" }),
  ofOne("DELETE /v1/rules/{id}", "rules:write", 204, ruleInside),
  {
    route: "POST /v1/rules/preview",
    needs: "read",
    request: () => ({ body: { rule: { node: inside, condition }, from: "2026-01-01", to: "2026-02-01" } }),
    allowed: 200,
    elsewhere: 403,
  },
  { route: "GET /v1/alerts", needs: "read", allowed: 200, elsewhere: "nothing" },
  ofOne("GET /v1/alerts/{id}", "read", 200, alertInside),
  ofOne("POST /v1/alerts/{id}/acknowledge", "rules:write", 200, alertInside),
  ofOne("POST /v1/alerts/{id}/snooze", "rules:write", 200, alertInside, {
    until: new Date(Date.now() + 3_600_000).toISOString(),
  }),
  { route: "GET /v1/notifications", needs: "read", allowed: 200, elsewhere: "nothing" },
  {
    route: "POST /v1/notifications/read",
    needs: "read",
    request: () => ({ body: { all: true } }),
    allowed: 200,
    elsewhere: "nothing",
  },
];
