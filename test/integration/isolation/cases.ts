/** One case for each route; see isolation-matrix.test.ts. Grouped by subject. */
import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import { system } from "../../../server/audit/record-change.ts";
// @ts-expect-error a script without types
import { packEmitter } from "../../../server/bootstrap/setup.mjs";
import { askedAbout, inside, type World } from "../../support/isolation-world.ts";
import { accountCases } from "./account-cases.ts";
import { alertCases } from "./alert-cases.ts";
import { deliveryCases } from "./delivery-cases.ts";
import { nodeCases } from "./node-cases.ts";
import { planCases } from "./plan-cases.ts";
import { reportCases } from "./report-cases.ts";
import { askedOf, ofOne, type RouteCase } from "./route-case.ts";
import { scheduleCases } from "./schedule-cases.ts";
import { statementCases } from "./statement-cases.ts";

const systemCases: RouteCase[] = [
  "GET /livez",
  "GET /readyz",
  "GET /openapi.json",
  "GET /docs",
  "GET /docs/embedding",
  "GET /docs/emitters",
  "GET /docs/start.js",
  "GET /docs/viewer.js",
  "GET /docs/events",
  "GET /docs/guides",
  "GET /docs/meters",
  "GET /v1/limits",
].map((route) => ({ route, needs: "nothing", allowed: 200, elsewhere: "the same" }));

const metricsCases: RouteCase[] = [
  {
    route: "GET /metrics",
    needs: "read",
    // As a proxy passes it on; a scraper on the same machine needs no credentials. No caller here may read all nodes.
    request: () => ({ headers: { "x-forwarded-for": "192.0.2.1" } }),
    allowed: 403,
    elsewhere: 403,
  },
];

systemCases.push(
  ...[
    ["GET /docs/meters/{meter}", "/docs/meters/sessions"],
    ["GET /docs/events/{type}", "/docs/events/call.completed"],
    ["GET /docs/guides/{guide}", "/docs/guides/calls"],
  ].map(
    ([route = "", path = ""]): RouteCase => ({
      route,
      needs: "nothing",
      request: () => ({ path }),
      allowed: 200,
      elsewhere: "the same",
    }),
  ),
);

let packed: Promise<void> | undefined;
systemCases.push(
  ...["tidemark-emitter.tgz", "tidemark_emitter.py"].map(
    (file): RouteCase => ({
      route: `GET /docs/emitters/${file}`,
      needs: "nothing",
      // The build makes what is offered to install.
      request: async () => {
        packed ??= packEmitter();
        await packed;
        return {};
      },
      allowed: 200,
      elsewhere: "the same",
    }),
  ),
);

const eventsCases: RouteCase[] = [
  {
    route: "POST /v1/events",
    needs: "ingest",
    request: () => ({ body: { id: "e1", type: "chat.posted", organization: inside.slice("organization:".length) } }),
    allowed: 202,
    elsewhere: ({ status, body }) => {
      expect(status).toBe(202);
      expect(body).toMatchObject({ accepted: 0, duplicates: 0, rejected: [{ code: "outside_subtree" }] });
    },
  },
];

const usageCases: RouteCase[] = [
  askedOf("GET /v1/usage", "read", `meter=chat_posts&node=${askedAbout}`),
  askedOf("GET /v1/live", "read", `node=${askedAbout}`),
];

const meterOfInside = async (world: World) => {
  const meter = `m${randomUUID().replaceAll("-", "")}`;
  const definition = { title: "M", unit: "count", description: "", events: countOf("x") };
  await world.deps.customMeters.create(meter, inside, definition, system);
  return meter;
};
const countOf = (type: string) => ({
  types: [type],
  aggregation: "count" as const,
  value: "value",
  lowered_by: [],
  each: false,
  dimensions: [],
  filters: [],
});
const metersCases: RouteCase[] = [
  askedOf("GET /v1/meters", "read", `node=${askedAbout}`),
  {
    route: "POST /v1/meters",
    needs: "meters:write",
    request: () => ({
      body: {
        meter: `m${randomUUID().replaceAll("-", "")}`,
        node: inside,
        title: "M",
        events: { types: ["x"], aggregation: "count" },
      },
    }),
    allowed: 201,
    elsewhere: 403,
  },
  ofOne("GET /v1/meters/{meter}", "read", 200, meterOfInside),
  ofOne("PATCH /v1/meters/{meter}", "meters:write", 200, meterOfInside, {
    title: "N",
    events: { types: ["y"], aggregation: "count" },
  }),
  ofOne("DELETE /v1/meters/{meter}", "meters:write", 200, meterOfInside),
];

const organizationInside = inside.slice("organization:".length);
const correctionsCases: RouteCase[] = [
  {
    route: "GET /v1/events/{id}",
    needs: "read",
    request: () => ({ path: `/v1/events/unknown?organization=${organizationInside}` }),
    allowed: 404,
    elsewhere: 403,
  },
  {
    route: "POST /v1/events/{id}/void",
    needs: "events:correct",
    request: () => ({ path: "/v1/events/unknown/void", body: { organization: organizationInside, reason: "wrong" } }),
    allowed: 404,
    elsewhere: 403,
  },
  {
    route: "POST /v1/events/{id}/amend",
    needs: "events:correct",
    request: () => ({
      path: "/v1/events/unknown/amend",
      body: { organization: organizationInside, reason: "wrong", changes: { user: "u1" } },
    }),
    allowed: 404,
    elsewhere: 403,
  },
];

/** The id of an event of `inside` that was rejected. */
async function quarantinedIn({ ask, makeKey }: World): Promise<string> {
  const organization = inside.slice("organization:".length);
  const { key } = await makeKey(["ingest", "read"]);
  const refused = { id: "q1", type: "chat.posted", organization, time: "1999-01-01T00:00:00Z" };
  const taken = { id: randomUUID(), type: "chat.posted", organization };
  await ask("POST", "/v1/events?ack=stored", { key, body: [refused, taken] });
  const { body } = await ask("GET", "/v1/quarantine?limit=1", { key });
  return body.events[0].id;
}

const explainCases: RouteCase[] = [
  askedOf("GET /v1/explain", "read", `meter=chat_posts&node=${askedAbout}&from=2026-03-01`),
];

const recordsCases: RouteCase[] = [
  askedOf("GET /v1/records", "read", `node=${askedAbout}`),
  askedOf("GET /v1/jobs", "read", `node=${askedAbout}`),
  askedOf("GET /v1/quarantine", "read", `node=${askedAbout}`),
  {
    route: "POST /v1/quarantine/replay",
    needs: "events:correct",
    request: async (world) => ({ body: { ids: [await quarantinedIn(world)] } }),
    allowed: 200,
    elsewhere: 404,
  },
  ofOne("POST /v1/quarantine/{id}/replay", "events:correct", 200, quarantinedIn, {}),
  askedOf("GET /v1/orphans", "read", `node=${askedAbout}`),
  askedOf("GET /v1/sessions", "read", `node=${askedAbout}`),
  {
    route: "GET /v1/sessions/{organization}/{session}",
    needs: "read",
    request: async ({ ask, makeKey }) => {
      const organization = inside.slice("organization:".length);
      const event = { id: "s1", type: "participant.joined", organization, session: "s", user: "u" };
      const { key } = await makeKey(["ingest"]);
      await ask("POST", "/v1/events?ack=stored", { key, body: { ...event, time: "2026-01-01T00:00:00Z" } });
      return { path: `/v1/sessions/${organization}/s` };
    },
    allowed: 200,
    elsewhere: 404,
  },
];

const ingestHealthCases: RouteCase[] = [askedOf("GET /v1/ingest-health", "read", `node=${askedAbout}`)];

const auditCases: RouteCase[] = [
  {
    route: "GET /v1/audit",
    needs: "audit:read",
    allowed: 200,
    elsewhere: "nothing",
    // What was decided while it had the organization stays in its audit, and nothing of what came after.
    pastOwner({ status, body }) {
      expect(status).toBe(200);
      const about = body.entries.filter((entry: object) => JSON.stringify(entry).includes(inside.split(":")[1] ?? ""));
      expect(about.map(({ action }: { action: string }) => action)).toEqual(["organizations.created"]);
      expect(JSON.stringify(body)).not.toContain(askedAbout);
    },
  },
];

const reconciliationCases: RouteCase[] = [
  askedOf("GET /v1/reconciliations", "admin", `node=${askedAbout}`),
  {
    route: "POST /v1/rebuilds",
    needs: "admin",
    request: () => ({ body: { stage: "counters", organization: inside.slice("organization:".length) } }),
    allowed: 202,
    elsewhere: 403,
  },
  { route: "GET /v1/rebuilds", needs: "admin", allowed: 200, elsewhere: "nothing" },
  {
    route: "GET /v1/rebuilds/{id}",
    needs: "admin",
    request: async ({ ask, makeKey }) => {
      const { key } = await makeKey(["admin"]);
      const organization = inside.slice("organization:".length);
      // Only so many may wait: all callers ask for the same one.
      const { rebuilds } = (await ask("GET", "/v1/rebuilds", { key })).body as { rebuilds: { id: string }[] };
      const made = { key, body: { stage: "counters", organization } };
      const { id } = rebuilds.at(-1) ?? ((await ask("POST", "/v1/rebuilds", made)).body as { id: string });
      return { path: `/v1/rebuilds/${id}` };
    },
    allowed: 200,
    elsewhere: 404,
  },
];

export const routeCases: readonly RouteCase[] = [
  ...systemCases,
  ...metricsCases,
  ...eventsCases,
  ...usageCases,
  ...metersCases,
  ...correctionsCases,
  ...explainCases,
  ...recordsCases,
  ...ingestHealthCases,
  ...nodeCases,
  ...accountCases,
  ...auditCases,
  ...reconciliationCases,
  ...planCases,
  ...reportCases,
  ...scheduleCases,
  ...statementCases,
  ...alertCases,
  ...deliveryCases,
];
