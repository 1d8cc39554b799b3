/** POST /v1/events: events in, verdicts out. What a request goes through is in server/ingest/accept/accept-request.ts. */
import { STATUS_CODES } from "node:http";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { limits, usageEventSchema, type Verdict, verdictSchema } from "../../contract/events.ts";
import { problemSchema } from "../../contract/problem.ts";
import {
  type AcceptDeps,
  type AcceptedRequest,
  acceptRequest,
  rateKeyOf,
  type Sender,
  type TakenVerdict,
} from "../../ingest/accept/accept-request.ts";
import type { RateState } from "../../ingest/accept/backpressure.ts";
import type { LogPosition } from "../../ingest/log/write-ahead-log.ts";
import { ProblemError } from "../../problem.ts";
import type { Telemetry } from "../../telemetry/telemetry.ts";
import { createRouter, problemResponses, securityOf } from "../app-pieces.ts";
import { requireScope } from "../authenticate.ts";
import type { HttpEnv } from "../http-env.ts";
import { jsonAnswer } from "../route-parts.ts";

interface EventsRoutesDeps
  extends Pick<
    AcceptDeps,
    "log" | "knownIds" | "tree" | "admission" | "eventType" | "bodyTimeoutMs" | "takeElsewhere"
  > {
  watermark: () => Date;
  /** Resolves when the record that ends at `position` can be queried. */
  flush: { whenStored(position: LogPosition): Promise<void> };
  telemetry?: Pick<Telemetry, "verdictGiven" | "requestRefused">;
  now?: () => number;
  /** How long `ack=stored` waits; default 30,000. */
  storedTimeoutMs?: number;
}

/** How often other processes publish how far queries see. */
const watermarkEveryMs = 50;

const querySchema = z.strictObject({
  ack: z
    .enum(["durable", "stored"])
    .default("durable")
    .describe(
      "`durable`: 202 once the events are on disk; `stored`: 200 once every event of the request can be queried",
    ),
  atomic: z.enum(["true", "false"]).default("false").describe("Accepts all events or, if any is rejected, none (422)"),
  strict: z
    .enum(["true", "false"])
    .default("false")
    .describe("Answers 422 if any event was rejected, with the usual verdict; the others are accepted"),
  dry_run: z
    .enum(["true", "false"])
    .default("false")
    .describe("Checks all events and accepts none: nothing is stored, created or remembered (200)"),
});

const cloudEventSchema = z
  .looseObject({
    specversion: z.literal("1.0"),
    id: z.string(),
    source: z.string(),
    type: z.string(),
    time: z.string().optional(),
    subject: z.string().optional().describe("The organization, unless `data.organization` is set"),
    data: usageEventSchema.omit({ id: true, type: true, time: true }).partial().optional(),
  })
  .describe("CloudEvents 1.0; attributes with flat values are kept as properties, including `source`");

const rejectedBatchSchema = problemSchema.extend(verdictSchema.shape);

const refusals = problemResponses(400, 401, 403, 413, 415, 429, 503);
const operation = {
  method: "post",
  path: "/v1/events",
  operationId: "sendEvents",
  tags: ["Events"] as string[],
  summary: "Send usage events",
  description: [
    "One event, an array, lines, or CloudEvents 1.0 (also in binary mode, with `ce-` headers), each plain or with",
    "`Content-Encoding: gzip`, `br` or `deflate`.",
    `At most ${limits.maxEventsPerRequest} events or ${limits.maxInflatedBytes} bytes after decompression per request.`,
    "Each event gets its own verdict. If you get 429, 503 or no answer at all, send the same events again with the same IDs:",
    "an event counts once, however often it is sent.",
  ].join(" "),
  middleware: requireScope("ingest"),
  request: { query: querySchema },
  responses: {
    200: jsonAnswer(
      "The verdict. With `ack=stored`, everything accepted can be queried; with `dry_run=true`, nothing was accepted",
      verdictSchema,
    ),
    202: jsonAnswer("The verdict; everything accepted is on disk", verdictSchema),
    422: {
      description:
        "An event was rejected. With `atomic=true`, nothing was accepted (`batch_rejected`); with `strict=true`, the others were (`events_rejected`)",
      content: { "application/problem+json": { schema: rejectedBatchSchema } },
    },
    ...refusals,
  },
} as const;
/** Described with its bodies below. The router must leave the body alone: the ingest reads it, once and bounded. */
const route = createRoute({ ...operation, hide: true });

const bodies = {
  "application/json": { schema: z.union([usageEventSchema, z.array(usageEventSchema)]) },
  "application/x-ndjson": { schema: z.string().describe("One event per line") },
  "application/cloudevents+json": { schema: cloudEventSchema },
  "application/cloudevents-batch+json": { schema: z.array(cloudEventSchema) },
};

export function eventsRoutes(deps: EventsRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter({ bodies: "streamed" });
  const accept: EventsRoutesDeps & AcceptDeps = { ...deps, now: deps.now ?? Date.now };

  app.openAPIRegistry.registerPath({
    ...operation,
    ...securityOf(operation),
    request: { query: querySchema, body: { required: true, content: bodies } },
  });
  app.openapi(route, async (c) => {
    const { ack, atomic, strict, dry_run: dryRun } = c.req.valid("query");
    const { id, node, reach, createOrganizations } = c.get("actor");
    const isDryRun = dryRun === "true";
    const alsoAt = reach.filter((other) => other !== node);
    const sendingKey = { id, node, createOrganizations, ...(alsoAt.length > 0 && { alsoAt }) };
    const sender = { sendingKey, isAtomic: atomic === "true", isDryRun };
    const accepted = await acceptOrRefuse(c, accept, sender);
    if (!isDryRun) deps.telemetry?.verdictGiven(accepted.decision);
    writeRate(c, accepted.rate);
    const { isAborted, rejected } = accepted.decision;
    const isStored = ack === "stored" && !isAborted && !isDryRun;
    if (isStored) await whenStored(deps, accepted);
    const verdict = verdictOf(accepted.decision, deps.watermark(), isDryRun);
    if (isAborted || (strict === "true" && rejected.length > 0)) {
      const problem: z.infer<typeof rejectedBatchSchema> = {
        type: "about:blank",
        title: STATUS_CODES[422] ?? "",
        status: 422,
        ...(isAborted ? nothingTaken : isDryRun ? someWouldBeRejected : someRejected),
        request_id: c.get("requestId"),
        ...verdict,
      };
      return c.json(problem, 422, { "content-type": "application/problem+json" });
    }
    return isStored || isDryRun ? c.json(verdict, 200) : c.json(verdict, 202);
  });
  return app;
}

const nothingTaken = {
  code: "batch_rejected",
  detail: "nothing was accepted because at least one event of this atomic request was rejected",
} as const;
const someRejected = {
  code: "events_rejected",
  detail: "at least one event was rejected, see `rejected`; all others were accepted",
} as const;

const someWouldBeRejected = {
  code: "events_rejected",
  detail: "at least one event would be rejected, see `rejected`; nothing was accepted, because this was a dry run",
} as const;

async function acceptOrRefuse(
  c: Context<HttpEnv>,
  deps: AcceptDeps & Pick<EventsRoutesDeps, "telemetry">,
  sender: Sender,
): Promise<AcceptedRequest> {
  // Under node-server the socket's own stream is read: it costs half of what the web stream around it does.
  const { incoming } = (c.env ?? {}) as { incoming?: Readable };
  try {
    return await acceptRequest(deps, {
      headers: c.req.raw.headers,
      body: incoming ?? c.req.raw.body,
      ...sender,
    });
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    deps.telemetry?.requestRefused(error.code);
    if (error.code === "too_fast") writeRate(c, deps.admission.rateOf(rateKeyOf(sender)));
    // Closing the connection is cheaper than reading the rest of such a body.
    if (error.code === "body_too_large") c.header("connection", "close");
    throw error;
  }
}

function verdictOf(decision: TakenVerdict, watermark: Date, isDryRun: boolean): Verdict {
  const { accepted, duplicates, rejected, warnings } = decision;
  const verdict = { accepted, duplicates, rejected, warnings, watermark: watermark.toISOString() };
  return isDryRun ? { ...verdict, dry_run: true } : verdict;
}

function writeRate(c: Context<HttpEnv>, rate: RateState): void {
  c.header("ratelimit-limit", String(rate.limit));
  c.header("ratelimit-remaining", String(rate.remaining));
  c.header("ratelimit-reset", String(rate.resetSeconds));
}

async function whenStored(deps: EventsRoutesDeps, { position, elsewhereMs }: AcceptedRequest): Promise<void> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), deps.storedTimeoutMs ?? 30_000);
  const isLate = new Promise<never>((_, reject) => {
    late.signal.addEventListener("abort", () =>
      reject(new Error("the events were not stored in time; send them again with the same IDs")),
    );
  });
  isLate.catch(() => undefined);
  try {
    if (position) await Promise.race([deps.flush.whenStored(position), isLate]);
    if (elsewhereMs !== null)
      while (deps.watermark().getTime() < elsewhereMs)
        await delay(watermarkEveryMs, undefined, { signal: late.signal });
  } catch {
    const detail =
      "the events are on disk and will be stored, but cannot be queried yet; do not send them again with other IDs";
    throw new ProblemError("store_unavailable", detail, { retryAfterSeconds: 5 });
  } finally {
    clearTimeout(timer);
  }
}
