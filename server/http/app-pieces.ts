/** The frame that app.ts puts around the routes, and the router that each file of routes is made with. */

import type { Hook, RouteConfig } from "@hono/zod-openapi";
import { OpenAPIHono, z } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import { createMiddleware } from "hono/factory";
import { requestId } from "hono/request-id";
import type { Logger } from "pino";
import type { AddressRanges } from "../address-ranges.ts";
import { problemSchema } from "../contract/problem.ts";
import { sessionCookie } from "../identity/sign-in-sessions.ts";
import { ProblemError } from "../problem.ts";
import { attachClient } from "./attach-client.ts";
import { handleError, handleNotFound } from "./handle-error.ts";
import type { HttpEnv } from "./http-env.ts";
import { neededRights } from "./needed-rights.ts";
import { boundBodies, carryOut, receive } from "./read-body.ts";
import { awaitTurn } from "./take-turns.ts";
import { validateJson, validateUrl } from "./validate-text.ts";

/** A parameter that a route does not know may be a filter that its sender believes in. */
const noParameters = z.strictObject({});

/**
 * A router whose checks of parameters and bodies name the field at fault, and whose routes read bodies within bounds, after
 * their own middleware has checked the caller. `bodies: "exact"`: they read numbers by their text (exact-json.ts); `"streamed"`:
 * they read bodies themselves, as they come.
 */
export function createRouter({
  bodies = "whole",
}: {
  bodies?: "whole" | "exact" | "streamed";
} = {}): OpenAPIHono<HttpEnv> {
  const router = new OpenAPIHono<HttpEnv>({ defaultHook: refuseInvalid });
  const register = router.openapi as (route: RouteConfig, ...rest: unknown[]) => unknown;
  const registerBounded = (
    described: RouteConfig & { middleware?: MiddlewareHandler | MiddlewareHandler[] },
    ...rest: unknown[]
  ) => {
    const request = { ...described.request, query: described.request?.query ?? noParameters };
    const responses = { ...problemResponses(400), ...described.responses };
    const route: typeof described = { ...described, request, responses, ...securityOf(described) };
    const validating = [route.middleware ?? [], validateUrl].flat();
    // What emitters send has bounds of its own: usage never waits for questions.
    if (bodies === "streamed") return register({ ...route, middleware: validating } as RouteConfig, ...rest);
    if (route.method === "get")
      return register({ ...route, middleware: [...validating, awaitTurn] } as RouteConfig, ...rest);
    const reading = receive(route[maxBodyBytes] as number | undefined);
    const carryingOut = route[changesNothing] ? [] : [carryOut];
    const validatingBody = validateJson({ keepsDigits: bodies === "exact" });
    const middleware = [...validating, reading, awaitTurn, ...carryingOut, validatingBody];
    const bounded = { ...problemResponses(413, 415, 429), ...route.responses };
    return register({ ...route, middleware, responses: bounded } as RouteConfig, ...rest);
  };
  router.openapi = registerBounded as typeof router.openapi;
  return router;
}

/** Describes who may call a route; public ones say so themselves (`security: []`). */
export function securityOf({
  middleware,
  security,
  description,
}: Pick<RouteConfig, "security" | "description"> & {
  middleware?: MiddlewareHandler | MiddlewareHandler[];
}): Pick<RouteConfig, "security" | "description"> {
  const needed = neededRights([middleware ?? []].flat());
  if (security || !needed) return {};
  const { key, roles } = needed;
  const ofKey = key ? `a key with ${key.map((right) => `\`${right}\``).join(" and ")}` : "";
  const ofUser = roles.length > 0 ? `a user with the role ${roles.join(" or ")}` : "a user";
  return {
    security: [...(key ? [{ key: [...key] }] : []), { session: [] }],
    description: `${description === undefined ? "" : `${description} `}Needs ${ofKey === "" ? "" : `${ofKey}, or `}${ofUser}.`,
  };
}

/** How a route's description says the largest body that it takes; most take what `receive` does by itself. */
export const maxBodyBytes = "x-max-body-bytes";

/** How a route's description says that it only answers a question: it takes no `Idempotency-Key`, and nothing is kept of its answer. */
export const changesNothing = "x-changes-nothing";

const refuseInvalid: Hook<unknown, HttpEnv, string, unknown> = (result) => {
  if (result.success) return;
  const issue = result.error.issues[0];
  const key = issue?.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const field = [...(issue?.path ?? []), ...(key === undefined ? [] : [key])].join(".");
  throw new ProblemError("invalid_request", issue?.message ?? "the request is not valid", {
    field: field === "" ? undefined : field,
  });
};

const problemDescriptions = {
  400: "The request is not valid; `field` names what is wrong",
  401: "Credentials are missing or invalid",
  403: "The credentials do not give this permission, or the node is outside their subtree",
  404: "Not found in the caller's subtree",
  409: "Conflicts with existing data",
  412: "Changed since the caller read it (`If-Match`)",
  413: "The body is too large",
  415: "The content type or encoding is not supported",
  422: "The batch was rejected as a whole",
  429: "Too many requests; see `Retry-After`",
  503: "Unavailable right now; see `Retry-After`",
} as const;
type ProblemStatus = keyof typeof problemDescriptions;

interface ProblemResponse {
  description: string;
  content: { "application/problem+json": { schema: typeof problemSchema } };
}

/**
 * The responses of a route that are problems, for its OpenAPI description: where a caller has to be known (401) their requests
 * take turns, so that too many are refused.
 */
export function problemResponses<S extends ProblemStatus>(...statuses: S[]): Record<S, ProblemResponse> {
  const content = { "application/problem+json": { schema: problemSchema } };
  const responses: Partial<Record<ProblemStatus, ProblemResponse>> = {};
  const withTurns = statuses.some((status) => status === 401) ? ([...statuses, 429, 503] as const) : statuses;
  for (const status of withTurns) responses[status] = { description: problemDescriptions[status], content };
  return responses as Record<S, ProblemResponse>;
}

/** Call first: the client, request ids, security headers, the access log at `debug`, errors, and the answer for paths and methods that no route takes. */
export function applyFoundation(
  app: OpenAPIHono<HttpEnv>,
  {
    log,
    isTrustedProxy = () => false,
    elsewhere,
    roles = [],
  }: {
    log: Logger;
    isTrustedProxy?: AddressRanges;
    /** Routes that processes with other roles than `roles` answer. */
    elsewhere?: OpenAPIHono<HttpEnv>;
    roles?: Iterable<string>;
  },
): void {
  app.use(attachClient(isTrustedProxy));
  app.use(requestId());
  app.use(boundBodies());
  app.use(addSecurityHeaders);
  if (log.isLevelEnabled("debug")) app.use(logAccess(log));
  app.onError(handleError(log));
  const elsewhereOf = (path: string) => (elsewhere && methodsOf(elsewhere, path).length > 0 ? [...roles] : undefined);
  app.notFound(handleNotFound((path) => methodsOf(app, path), elsewhereOf));
  app.openAPIRegistry.registerComponent("securitySchemes", "key", {
    type: "http",
    scheme: "bearer",
    description: "An API key",
  });
  app.openAPIRegistry.registerComponent("securitySchemes", "session", {
    type: "apiKey",
    in: "cookie",
    name: sessionCookie,
    description: "Set by POST /v1/session",
  });
}

/**
 * Pages load nothing from elsewhere. Style elements are allowed because components and the API's page write their own;
 * scripts come from files of this server alone. `framedBy`: the origins whose pages may frame it.
 */
export function contentSecurityPolicy(framedBy: readonly string[] = []): string {
  return [
    "default-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'self'",
    "form-action 'self'",
    "object-src 'none'",
    `frame-ancestors ${framedBy.length > 0 ? framedBy.join(" ") : "'none'"}`,
  ].join("; ");
}
const securityHeaders = [
  ["content-security-policy", contentSecurityPolicy()],
  ["x-content-type-options", "nosniff"],
  ["x-frame-options", "DENY"],
  ["referrer-policy", "no-referrer"],
  ["cross-origin-opener-policy", "same-origin"],
  ["cross-origin-resource-policy", "same-origin"],
  // For this host only: its subdomains may not have TLS.
  ["strict-transport-security", "max-age=15552000"],
] as const;

/** Set before the handler runs: changing a finished answer costs more. */
const addSecurityHeaders = createMiddleware<HttpEnv>(async (c, next) => {
  for (const [name, value] of securityHeaders) c.header(name, value);
  await next();
});

/** One line a request, with nothing that could hold a secret: no query, no headers, no body. */
function logAccess(log: Logger) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    const startedAtMs = performance.now();
    await next();
    const ms = Math.round(performance.now() - startedAtMs);
    const { method, path } = c.req;
    log.debug({ requestId: c.get("requestId"), method, path, status: c.res.status, ms }, "answered");
  });
}

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;

/** The methods that routes of their own (not middleware, not a route for all paths) take on the path. */
function methodsOf(app: OpenAPIHono<HttpEnv>, path: string): string[] {
  return methods.filter((method) =>
    app.router.match(method, path)[0].some(([[, route]]) => route.method === method && !route.path.includes("*")),
  );
}
