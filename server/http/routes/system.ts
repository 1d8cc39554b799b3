/** Limits, health, and the API's own description. All public: nothing here depends on who asks. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Role } from "../../config.ts";
import { correctionLimits } from "../../contract/corrections.ts";
import { describeDefinitionLimits } from "../../contract/definition-limits.ts";
import { limits, limitsSchema } from "../../contract/events.ts";
import { liveLimits } from "../../contract/live.ts";
import { questionLimits } from "../../fairness/questions.ts";
import type { BucketRate } from "../../fairness/token-buckets.ts";
import { type Check, type CheckResult, isProcessReady, type Probe, readyRoles } from "../../health/readiness.ts";
import { isStoreUnavailable, storeTrouble } from "../../health/store-trouble.ts";
import { maxFigures, maxMeters } from "../../metrics/answer-size.ts";
import { maxWindows } from "../../metrics/windows.ts";
import { ProblemError } from "../../problem.ts";
import { signLimits } from "../../rollups/interval-signs.ts";
import { rebuildLimits } from "../../rollups/rebuild.ts";
import { creationRates } from "../../tree/creation-limits.ts";
import { createRouter } from "../app-pieces.ts";
import { describeApi } from "../describe-api.ts";
import { embeddingPage } from "../docs/embedding-page.ts";
import { emittersPage } from "../docs/emitters-page.ts";
import { eventPages } from "../docs/event-pages.ts";
import { guidePages } from "../docs/guide-pages.ts";
import { meterPages } from "../docs/meter-pages.ts";
import { docsPage } from "../docs-page.ts";
import type { HttpEnv } from "../http-env.ts";
import { jsonAnswer } from "../route-parts.ts";

interface SystemRoutesDeps {
  /** What is a probe alone is needed whatever the roles. */
  checks: Readonly<Record<string, Check | Probe>>;
  /** The roles of the process. */
  roles?: Iterable<Role>;
  /** Whether the process is about to end: it still answers, and wants no new connections. */
  isStopping?: () => boolean;
  /** The application whose routes /openapi.json describes; asked on the first request, when all are mounted. */
  root: OpenAPIHono<HttpEnv>;
}

/** A store that takes longer is no use to a request either. */
const checkTimeoutMs = 2_000;

const statusSchema = z.enum(["ready", "not_ready"]);
const roleSchema = z.enum(["ingest", "api", "worker"]);
const readinessSchema = z.object({
  status: statusSchema,
  roles: z
    .partialRecord(roleSchema, statusSchema)
    .optional()
    .describe("What the process depends on, and whether it works now"),
  checks: z.record(
    z.string(),
    z.object({
      ok: z.boolean(),
      detail: z.string(),
      needed_by: z.array(roleSchema).optional().describe("The roles that depend on it"),
      costs: z.string().optional().describe("What does not work while it fails"),
    }),
  ),
});

const getLimitsRoute = createRoute({
  method: "get",
  path: "/v1/limits",
  operationId: "getLimits",
  tags: ["Events"],
  summary: "Get the limits of requests and events",
  security: [],
  responses: { 200: jsonAnswer("The limits", limitsSchema) },
});

const getLivenessRoute = createRoute({
  method: "get",
  path: "/livez",
  operationId: "getLiveness",
  tags: ["Operations"],
  summary: "Check that the process is running",
  security: [],
  responses: {
    200: {
      description: "It is",
      content: { "application/json": { schema: z.object({ status: z.literal("live") }) } },
    },
  },
});

export function systemRoutes({
  checks,
  roles,
  isStopping = () => false,
  root,
}: SystemRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter();

  app.openapi(getLimitsRoute, (c) => c.json(publishedLimits(), 200));

  app.openapi(getLivenessRoute, (c) => c.json({ status: "live" as const }, 200));

  const readiness = { "application/json": { schema: readinessSchema } };
  app.openapi(
    createRoute({
      method: "get",
      path: "/readyz",
      operationId: "getReadiness",
      tags: ["Operations"],
      summary: "Check that the process can fulfil its roles",
      description: [
        "A process that accepts events is ready while it can accept them, whatever else fails. `role` checks one role only, such as",
        "`/readyz?role=api` for a load balancer in front of dashboards. Once the process is told to stop, it is not ready.",
      ].join(" "),
      security: [],
      request: { query: z.strictObject({ role: roleSchema.optional() }) },
      responses: {
        200: { description: "Ready", content: readiness },
        503: { description: "Not ready", content: readiness },
      },
    }),
    async (c) => {
      c.header("cache-control", "no-store");
      const { role } = c.req.valid("query");
      // Whoever routes to it learns at once that it ends, however long a store takes to answer.
      const asked = Object.entries(isStopping() ? {} : checks).map(
        async ([name, check]) => [name, await runCheck(typeof check === "function" ? check : check.probe)] as const,
      );
      const results: Record<string, CheckResult> = Object.fromEntries(await Promise.all(asked));
      const needed = Object.fromEntries(
        Object.entries(checks).map(([name, check]) => [name, typeof check === "function" ? { neededBy: all } : check]),
      );
      const ready = readyRoles(roles ?? all, needed, results);
      if (role && !ready.has(role))
        throw new ProblemError("not_found", `this process does not have the role ${role}`, { field: "role" });
      const isReady = !isStopping() && (role ? ready.get(role) === true : isProcessReady(ready));
      const checked = Object.entries(results).map(([name, result]) => {
        const check = checks[name];
        if (typeof check !== "object") return [name, result] as const;
        return [name, { ...result, needed_by: [...check.neededBy], costs: check.costs }] as const;
      });
      if (isStopping()) checked.push(["stopping", { ok: false, detail: "the process is shutting down" }]);
      const statusOf = (is: boolean) => (is ? ("ready" as const) : ("not_ready" as const));
      const body = {
        status: statusOf(isReady),
        ...(roles && { roles: Object.fromEntries([...ready].map(([role, is]) => [role, statusOf(is)])) }),
        checks: Object.fromEntries(checked),
      };
      return isReady ? c.json(body, 200) : c.json(body, 503);
    },
  );

  // As bytes that all answers share: strangers who ask for it and do not read it hold no copy each.
  let description: Uint8Array<ArrayBuffer> | undefined;
  app.get("/openapi.json", (c) => {
    description ??= new TextEncoder().encode(JSON.stringify(describeApi(root)));
    return c.body(description, 200, { "content-type": "application/json" });
  });

  app.route("/", docsPage());
  app.route("/", embeddingPage());
  app.route("/", emittersPage());
  app.route("/", eventPages());
  app.route("/", guidePages());
  app.route("/", meterPages());
  return app;
}

function publishedLimits() {
  return {
    max_events_per_request: limits.maxEventsPerRequest,
    max_inflated_bytes: limits.maxInflatedBytes,
    max_string_length: limits.maxStringLength,
    max_properties: limits.maxProperties,
    max_value_fraction_digits: limits.maxValueFractionDigits,
    max_value_integer_digits: limits.maxIntegerDigits,
    max_property_integer_digits: limits.maxIntegerDigits,
    oldest_time: limits.oldestTime,
    max_ahead_seconds: limits.maxAheadMs / 1000,
    dedupe_by_id_days: limits.dedupeByIdDays,
    signs_of_presence: signLimits.most,
    content_types: [...limits.contentTypes],
    content_encodings: [...limits.contentEncodings],
    questions: {
      max_figures: maxFigures,
      max_windows: maxWindows,
      max_meters: maxMeters,
      max_seconds: questionLimits.maxMs / 1_000,
      max_at_once: questionLimits.maxOfCaller,
      max_at_once_of_tenant: questionLimits.maxOfTenant,
      max_waiting: questionLimits.maxWaitingOfCaller,
    },
    live: {
      max_sockets: liveLimits.maxSocketsOfCaller,
      max_sockets_of_tenant: liveLimits.maxSocketsOfTenant,
      max_watches_per_second: liveLimits.maxWatchesPerSecond,
    },
    definitions: describeDefinitionLimits(),
    rebuilds: { max_waiting_of_tenant: rebuildLimits.maxOfTenant, max_waiting: rebuildLimits.most },
    corrections: {
      max_of_tenant_per_minute: correctionLimits.ofTenantPerMinute,
      max_waiting_of_tenant: correctionLimits.waitingOfTenant,
    },
    created_nodes: {
      of_emitter: rateFields(creationRates.ofEmitter),
      of_tenant: rateFields(creationRates.ofTenant),
      of_operator: rateFields(creationRates.ofOperator),
    },
  };
}

const rateFields = ({ burst, perSecond }: BucketRate) => ({ burst, per_second: perSecond });

const all = roleSchema.options;

async function runCheck(probe: Probe): Promise<CheckResult> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${checkTimeoutMs} ms`)), checkTimeoutMs);
  });
  try {
    return { ok: true, detail: (await Promise.race([probe(), tooLate])) ?? "ok" };
  } catch (error) {
    // What a store's client says names hosts, ports and users, which are nobody's business here.
    const trouble = storeTrouble(error);
    if (isStoreUnavailable(error) || trouble.isFinal || !(error instanceof Error))
      return { ok: false, detail: trouble.words };
    return { ok: false, detail: error.message };
  } finally {
    clearTimeout(timer);
  }
}
