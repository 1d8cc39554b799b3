/**
 * The only place that calls fetch. Every failure becomes an ApiError that carries what a person needs to see: the cause
 * in words, whether trying again can help, and the id under which the server logged it.
 */
import type { Problem, ProblemCode } from "@contract/problem.ts";
import { shellTexts as t } from "../texts/en/shell.ts";

type ApiErrorCode = ProblemCode | "unreachable" | "unexpected_answer";

/** What `thrown` says to a person, whatever it is. */
export function asApiError(thrown: unknown): ApiError {
  return thrown instanceof ApiError ? thrown : new ApiError("unexpected_answer", t.responseCouldNotBeRead);
}

export class ApiError extends Error {
  override name = "ApiError";
  readonly code: ApiErrorCode;
  /** 0 when there was no answer at all. */
  readonly status: number;
  readonly field: string | undefined;
  readonly requestId: string | undefined;
  /** As the server asked for; undefined when it did not. */
  readonly retryAfterSeconds: number | undefined;
  /** All that the server said; some problems say more than what is common to them. */
  readonly problem: Problem | undefined;

  constructor(
    code: ApiErrorCode,
    message: string,
    known: {
      status?: number;
      field?: string;
      requestId?: string;
      retryAfterSeconds?: number;
      problem?: Problem;
    } = {},
  ) {
    super(message);
    this.code = code;
    this.status = known.status ?? 0;
    this.field = known.field;
    this.requestId = known.requestId;
    this.retryAfterSeconds = known.retryAfterSeconds;
    this.problem = known.problem;
  }

  /** The same request may well succeed later, without anybody changing it. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 502;
  }
}

let signedOutListener: (() => void) | undefined;

/** Called whenever an answer says that the session is over. */
export function onSignedOut(listener: () => void): void {
  signedOutListener = listener;
}

export interface RequestOptions {
  body?: object;
  accept?: string;
  signal?: AbortSignal | undefined;
  /** A 401 then means wrong credentials, not a session that ended. */
  isSignIn?: boolean;
  /** Sent as it is, as CSV. */
  csv?: string;
  /** The `ETag` of what the person saw: the edit is refused when it is something else by now. */
  ifMatch?: string | undefined;
  /** Sent with each try of one and the same write, so that it happens once. */
  idempotencyKey?: string | undefined;
  /** No cookie goes along, whoever is signed in. */
  isAnonymous?: boolean;
}

/** Where the answer has no body, or is not JSON. */
export async function request(method: string, address: string, options: RequestOptions = {}): Promise<Response> {
  const {
    body,
    csv,
    accept = "application/json",
    signal,
    isSignIn = false,
    ifMatch,
    idempotencyKey,
    isAnonymous,
  } = options;
  const type = csv === undefined ? (body ? "application/json" : undefined) : "text/csv; charset=utf-8";
  let response: Response;
  try {
    response = await fetch(address, {
      method,
      headers: {
        accept,
        ...(type && { "content-type": type }),
        ...(ifMatch && { "if-match": ifMatch }),
        ...(idempotencyKey && { "idempotency-key": idempotencyKey }),
      },
      body: csv ?? (body && JSON.stringify(body)),
      signal,
      credentials: isAnonymous ? "omit" : undefined,
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("unreachable", t.serverCannotBeReached);
  }
  if (response.ok) return response;
  const error = await apiError(response);
  if (response.status === 401 && !isSignIn) signedOutListener?.();
  throw error;
}

async function apiError(response: Response): Promise<ApiError> {
  const retryAfter = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
  const known = {
    status: response.status,
    requestId: response.headers.get("x-request-id") ?? undefined,
    retryAfterSeconds: Number.isNaN(retryAfter) ? undefined : retryAfter,
  };
  const problem = await response.json().then(
    (read: Problem) => read,
    () => undefined,
  );
  if (problem?.code === undefined)
    return new ApiError("unexpected_answer", t.serverGaveNoReason(response.status), known);
  return new ApiError(problem.code, problem.detail, {
    ...known,
    problem,
    field: problem.field,
    requestId: problem.request_id ?? known.requestId,
  });
}
