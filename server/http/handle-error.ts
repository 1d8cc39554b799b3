/** Turns every error into problem+json. Details that are not meant for the caller are logged only. */
import type { Context, ErrorHandler, NotFoundHandler } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import pg from "pg";
import type { Logger } from "pino";
import { StatementTooHeavyError } from "../clickhouse/client.ts";
import { type Problem, type ProblemCode, problemStatus } from "../contract/problem.ts";
import { NoTurnError } from "../fairness/fair-turns.ts";
import { CallerGoneError, TooLongError } from "../fairness/questions.ts";
import { isStoreUnavailable } from "../health/store-trouble.ts";
import { ProblemError } from "../problem.ts";
import { TooManyRebuildsError } from "../rollups/rebuild.ts";
import { TooManyNodesError } from "../tree/creation-limits.ts";
import type { HttpEnv } from "./http-env.ts";

export const titles: Record<ProblemCode, string> = {
  invalid_request: "The request is not valid",
  unreadable_body: "The body cannot be read",
  second_factor_required: "A second-factor code is also required",
  unauthenticated: "Credentials are missing or invalid",
  forbidden: "The credentials do not give this permission",
  not_found: "Not found",
  method_not_allowed: "The method is not allowed here",
  request_timeout: "The request did not arrive in time",
  conflict: "Conflicts with existing data",
  precondition_failed: "Changed since the caller read it",
  body_too_large: "The body is too large",
  too_many_events: "The request has too many events",
  unsupported_media_type: "The content type or encoding is not supported",
  batch_rejected: "The batch was rejected as a whole",
  events_rejected: "Some of the events were rejected",
  idempotency_key_reused: "The idempotency key belongs to another request",
  too_fast: "Too many requests",
  headers_too_large: "The address and headers are too large",
  internal: "Something went wrong on the server",
  overloaded: "The server is overloaded right now",
  store_unavailable: "A database is not available right now",
};

/** Embedded stores are back within seconds. */
const storeRetrySeconds = 2;
const heavyRetrySeconds = 30;
const tooHeavy =
  "this needs more time or memory than one query is allowed: request a shorter range or fewer meters, groups or nodes, or try again later";
/** Postgres' codes for values that it cannot hold and for references to nothing: an earlier check missed them. */
const unstorable: ReadonlySet<string | undefined> = new Set(["22021", "22P02", "22P05", "22003", "22001", "23503"]);

export function handleError(log: Logger): ErrorHandler<HttpEnv> {
  return (error, c) => {
    const problem = asProblem(error);
    // A refusal without a cause is part of normal work, such as while it starts.
    const isRefusal = error instanceof ProblemError && error.cause === undefined;
    if (problem.code === "internal" || (problem.code === "store_unavailable" && !isRefusal))
      log.error(
        { err: error instanceof ProblemError ? error.cause : error, requestId: c.get("requestId"), path: c.req.path },
        problem.message,
      );
    return problemResponse(c, problem);
  };
}

/**
 * Answers 405 where the path exists with another method, else 404. Mount it after all routes are known. `elsewhereOf`: this
 * process's roles where the path is a route of another role.
 */
export function handleNotFound(
  methodsOf: (path: string) => string[],
  elsewhereOf: (path: string) => string[] | undefined = () => undefined,
): NotFoundHandler<HttpEnv> {
  return (c) => {
    const { path } = c.req;
    const methods = methodsOf(path);
    if (methods.length === 0) {
      const roles = elsewhereOf(path);
      const detail = roles
        ? `${path} is served by processes with another role; this one only has ${roles.join(", ")} (TIDEMARK_ROLES)`
        : `there is no ${path}`;
      return problemResponse(c, new ProblemError("not_found", detail));
    }
    c.header("allow", methods.join(", "));
    return problemResponse(c, new ProblemError("method_not_allowed", `${path} accepts ${methods.join(", ")}`));
  };
}

function problemResponse(c: Context<HttpEnv>, { code, message, field, retryAfterSeconds }: ProblemError): Response {
  const status = problemStatus[code];
  const problem: Problem = {
    type: "about:blank",
    title: titles[code],
    status,
    code,
    detail: message,
    ...(field !== undefined && { field }),
    request_id: c.get("requestId"),
  };
  if (retryAfterSeconds !== undefined) c.header("retry-after", String(retryAfterSeconds));
  if (code === "unauthenticated") c.header("www-authenticate", "Bearer");
  c.header("cache-control", "no-store");
  return c.body(JSON.stringify(problem), status satisfies ContentfulStatusCode, {
    "content-type": "application/problem+json",
  });
}

function asProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  if (error instanceof HTTPException) return ofHttpException(error);
  if (error instanceof NoTurnError) return ofNoTurn(error);
  if (error instanceof TooManyNodesError || error instanceof TooManyRebuildsError)
    return new ProblemError("too_fast", error.message, { retryAfterSeconds: error.retryAfterSeconds });
  if (error instanceof CallerGoneError) return new ProblemError("overloaded", "the caller has disconnected");
  if (error instanceof TooLongError || error instanceof StatementTooHeavyError)
    return new ProblemError("overloaded", tooHeavy, { retryAfterSeconds: heavyRetrySeconds });
  if (isStoreUnavailable(error))
    return new ProblemError(
      "store_unavailable",
      "a database cannot be reached, so the change may or may not have been made; check before trying again",
      {
        retryAfterSeconds: storeRetrySeconds,
      },
    );
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (cause instanceof pg.DatabaseError && unstorable.has(cause.code))
      return new ProblemError(
        "invalid_request",
        "it contains text or a number that cannot be stored, or names something that does not exist",
      );
  return new ProblemError("internal", "the request could not be carried out; the server's log has the reason");
}

function ofNoTurn({ reason, retryAfterSeconds }: NoTurnError): ProblemError {
  return reason === "crowded"
    ? new ProblemError("too_fast", "too many requests from this caller are already waiting", { retryAfterSeconds })
    : new ProblemError("overloaded", "too many requests are being processed; try again", { retryAfterSeconds });
}

/** Thrown by Hono itself, where it reads bodies. */
function ofHttpException({ status, message }: HTTPException): ProblemError {
  if (status === 413) return new ProblemError("body_too_large", "the body is larger than the limit");
  if (status === 415) return new ProblemError("unsupported_media_type", message);
  if (status >= 400 && status < 500) return new ProblemError("unreadable_body", message || "the body cannot be read");
  return new ProblemError("internal", "the request could not be carried out; the server's log has the reason");
}
