/** Limits, health, and the API's own description. All public: nothing here depends on who asks. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type CreationRate, creationRates } from "../../accounts/creation-limits.ts";
import { limits, limitsSchema } from "../../contract/events.ts";
import { liveLimits } from "../../contract/live.ts";
import { questionLimits } from "../../fairness/questions.ts";
import { maxFigures, maxMeters } from "../../metrics/answer-size.ts";
import { maxWindows } from "../../metrics/windows.ts";
import { rebuildLimits } from "../../reconciliation/rebuild.ts";
import { createRouter, describeApi } from "../app-pieces.ts";
import { docsPage } from "../docs-page.ts";
import { emittersPage } from "../emitters-page.ts";
import { isStoreUnavailable } from "../handle-error.ts";
import type { HttpEnv } from "../http-env.ts";
import { meterPages } from "../meter-pages.ts";

/** Resolves when the named thing can be used now; the message of what it throws is shown to everybody. */
export type ReadinessCheck = () => Promise<void>;

export interface SystemRoutesDeps {
  checks: Readonly<Record<string, ReadinessCheck>>;
  /** The application whose routes /openapi.json describes; asked on the first request, when all are mounted. */
  root: OpenAPIHono<HttpEnv>;
}

/** A store that takes longer is no use to a request either. */
const checkTimeoutMs = 2_000;

const readinessSchema = z.object({
  status: z.enum(["ready", "not_ready"]),
  checks: z.record(z.string(), z.object({ ok: z.boolean(), detail: z.string() })),
});

export function systemRoutes({ checks, root }: SystemRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter();

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/limits",
      summary: "The bounds that requests and events are checked against",
      security: [],
      responses: { 200: { description: "The limits", content: { "application/json": { schema: limitsSchema } } } },
    }),
    (c) =>
      c.json(
        {
          max_events_per_request: limits.maxEventsPerRequest,
          max_inflated_bytes: limits.maxInflatedBytes,
          max_string_length: limits.maxStringLength,
          max_properties: limits.maxProperties,
          max_value_fraction_digits: limits.maxValueFractionDigits,
          max_value_integer_digits: limits.maxValueIntegerDigits,
          max_property_integer_digits: limits.maxPropertyIntegerDigits,
          oldest_time: limits.oldestTime,
          max_ahead_seconds: limits.maxAheadMs / 1000,
          dedupe_by_id_days: limits.dedupeByIdDays,
          content_types: [...limits.contentTypes],
          content_encodings: [...limits.contentEncodings],
          questions: {
            max_figures: maxFigures,
            max_windows: maxWindows,
            max_meters: maxMeters,
            max_seconds: questionLimits.mostMs / 1_000,
            max_at_once: questionLimits.mostOfCaller,
            max_at_once_of_tenant: questionLimits.mostOfTenant,
            max_waiting: questionLimits.mostWaitingOfCaller,
          },
          live: {
            max_sockets: liveLimits.maxSocketsOfCaller,
            max_sockets_of_tenant: liveLimits.maxSocketsOfTenant,
            max_watches_per_second: liveLimits.maxWatchesPerSecond,
          },
          rebuilds: { max_waiting_of_tenant: rebuildLimits.mostOfTenant, max_waiting: rebuildLimits.most },
          created_nodes: {
            of_emitter: toldRate(creationRates.ofEmitter),
            of_tenant: toldRate(creationRates.ofTenant),
            of_operator: toldRate(creationRates.ofOperator),
          },
        },
        200,
      ),
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/livez",
      summary: "The process runs",
      security: [],
      responses: {
        200: {
          description: "It does",
          content: { "application/json": { schema: z.object({ status: z.literal("live") }) } },
        },
      },
    }),
    (c) => c.json({ status: "live" as const }, 200),
  );

  const readiness = { "application/json": { schema: readinessSchema } };
  app.openapi(
    createRoute({
      method: "get",
      path: "/readyz",
      summary: "Every store that requests need can be used",
      security: [],
      responses: {
        200: { description: "Ready", content: readiness },
        503: { description: "Not ready", content: readiness },
      },
    }),
    async (c) => {
      const results = await Promise.all(
        Object.entries(checks).map(async ([name, check]) => [name, await runCheck(check)] as const),
      );
      const body = { checks: Object.fromEntries(results) };
      c.header("cache-control", "no-store");
      if (results.every(([, { ok }]) => ok)) return c.json({ status: "ready" as const, ...body }, 200);
      return c.json({ status: "not_ready" as const, ...body }, 503);
    },
  );

  let description: object | undefined;
  app.get("/openapi.json", (c) => {
    description ??= describeApi(root);
    return c.json(description);
  });

  app.route("/", docsPage());
  app.route("/", emittersPage());
  app.route("/", meterPages());
  return app;
}

const toldRate = ({ burst, perSecond }: CreationRate) => ({ burst, per_second: perSecond });

async function runCheck(check: ReadinessCheck): Promise<{ ok: boolean; detail: string }> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${checkTimeoutMs} ms`)), checkTimeoutMs);
  });
  try {
    await Promise.race([check(), tooLate]);
    return { ok: true, detail: "ok" };
  } catch (error) {
    // What a store's client says names hosts, ports and users, which are nobody's business here.
    if (isStoreUnavailable(error) || !(error instanceof Error)) return { ok: false, detail: "cannot be reached" };
    return { ok: false, detail: error.message };
  } finally {
    clearTimeout(timer);
  }
}
