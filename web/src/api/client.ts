/**
 * The only place that calls fetch. Every failure becomes an ApiError that carries what a person needs to see: the cause
 * in words, whether trying again can help, and the id under which the server logged it.
 */
import type { CreatedKey, CreateKey, Key, Me, SessionList, SignIn, SignInWays } from "@contract/accounts.ts";
import type { AuditList } from "@contract/audit.ts";
import type { IngestHealth, IngestWindow } from "@contract/ingest-health.ts";
import type { LiveAnswer } from "@contract/live.ts";
import type { MeterSummary } from "@contract/meters.ts";
import type { Node, NodeList } from "@contract/nodes.ts";
import type { Problem, ProblemCode } from "@contract/problem.ts";
import type { UsageAnswer, WindowKind } from "@contract/usage.ts";
import type { ChangeUser, Invitation, InvitedUser, InviteUser, User, UserList } from "@contract/users.ts";

type ApiErrorCode = ProblemCode | "unreachable" | "unexpected_answer";

/** What `thrown` says to a person, whatever it is. */
export function asApiError(thrown: unknown): ApiError {
  return thrown instanceof ApiError ? thrown : new ApiError("unexpected_answer", "The server gave no clear answer.");
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

export interface UsageQuestion {
  meters: readonly string[];
  /** The caller's own node when undefined. */
  node?: string | undefined;
  /** An instant, a date in `tz`, or `now`. */
  from: string;
  to: string;
  window: WindowKind;
  tz: string;
  groupBy?: string | undefined;
  /** How many groups stand for themselves. */
  limit?: number | undefined;
  compare?: Comparison | undefined;
  /** `none` leaves out the windows without usage; zeros otherwise. */
  fill?: "none" | undefined;
}

/** Which range stands beside the asked one; `byWeekday` moves it by whole weeks, so that a Monday stands beside a Monday. */
export interface Comparison {
  to: "previous" | "year";
  byWeekday: boolean;
}

export function readUsage(question: UsageQuestion, signal?: AbortSignal): Promise<UsageAnswer> {
  return send<UsageAnswer>("GET", usageAddress(question), { signal });
}

/** The same figures as `readUsage`, as the server writes them into CSV. */
export async function readUsageCsv(question: UsageQuestion): Promise<Blob> {
  const response = await request("GET", usageAddress(question), { accept: "text/csv" });
  return response.blob();
}

/** The address that answers `question`, as a program would call it. */
export function usageAddress(question: UsageQuestion): string {
  const { meters, node, from, to, window, tz, groupBy, limit, compare, fill } = question;
  const search = new URLSearchParams({ meter: meters.join(","), from, to, window, tz });
  if (node) search.set("node", node);
  if (groupBy) search.set("group_by", groupBy);
  if (limit) search.set("limit", String(limit));
  if (fill) search.set("fill", fill);
  if (compare) search.set("compare", compare.to);
  if (compare?.byWeekday) search.set("compare_match", "weekday");
  return `/v1/usage?${search}`;
}

export interface IngestQuestion {
  node: string | undefined;
  window: IngestWindow;
  groupBy: "key" | "organization";
  tz: string;
}

/** Of the last 60 minutes, 24 hours or 30 days, by `window`. */
export function readIngestHealth(
  { node, window, groupBy, tz }: IngestQuestion,
  signal?: AbortSignal,
): Promise<IngestHealth> {
  const search = new URLSearchParams({ window, group_by: groupBy, tz });
  if (node) search.set("node", node);
  return send<IngestHealth>("GET", `/v1/ingest-health?${search}`, { signal });
}

export function readLive(node: string | undefined, signal?: AbortSignal): Promise<LiveAnswer> {
  return send<LiveAnswer>("GET", node ? `/v1/live?${new URLSearchParams({ node })}` : "/v1/live", { signal });
}

/** The first page of the nodes that the caller may see; with `search`, of those that hold it in their name or id. */
export function readNodes(search: string | undefined, signal?: AbortSignal): Promise<NodeList> {
  return send<NodeList>("GET", search ? `/v1/nodes?${new URLSearchParams({ search })}` : "/v1/nodes", { signal });
}

export function readNode(node: string, signal?: AbortSignal): Promise<Node> {
  return send<Node>("GET", `/v1/nodes/${encodeURIComponent(node)}`, { signal });
}

export async function readMeters(signal?: AbortSignal): Promise<MeterSummary[]> {
  return (await send<{ meters: MeterSummary[] }>("GET", "/v1/meters", { signal })).meters;
}

export async function readKeys(signal?: AbortSignal): Promise<Key[]> {
  return (await send<{ keys: Key[] }>("GET", "/v1/keys", { signal })).keys;
}

export function createKey(key: CreateKey): Promise<CreatedKey> {
  return send<CreatedKey>("POST", "/v1/keys", { body: key });
}

/** A new key with the same rights; the old one goes on for `overlapSeconds`. */
export function rotateKey(id: string, overlapSeconds: number): Promise<CreatedKey> {
  const body = { overlap_seconds: overlapSeconds };
  return send<CreatedKey>("POST", `/v1/keys/${encodeURIComponent(id)}/rotate`, { body });
}

export async function revokeKey(id: string): Promise<void> {
  await request("DELETE", `/v1/keys/${encodeURIComponent(id)}`);
}

export function readUsers(signal?: AbortSignal): Promise<UserList> {
  return send<UserList>("GET", "/v1/users", { signal });
}

export function inviteUser(user: InviteUser): Promise<InvitedUser> {
  return send<InvitedUser>("POST", "/v1/users", { body: user });
}

export function inviteAgain(id: string): Promise<Invitation> {
  return send<Invitation>("POST", `/v1/users/${encodeURIComponent(id)}/invitation`);
}

export function changeUser(id: string, change: ChangeUser): Promise<User> {
  return send<User>("PATCH", `/v1/users/${encodeURIComponent(id)}`, { body: change });
}

export async function removeUser(id: string): Promise<void> {
  await request("DELETE", `/v1/users/${encodeURIComponent(id)}`);
}

export interface AuditQuestion {
  action?: string | undefined;
  actor?: string | undefined;
  subject?: string | undefined;
  cursor?: number | undefined;
}

/** The newest first, page by page. */
export function readAudit(question: AuditQuestion, signal?: AbortSignal): Promise<AuditList> {
  return send<AuditList>("GET", `/v1/audit?${searchOf(question)}`, { signal });
}

/** Everything that matches, as the server writes it into CSV. */
export async function readAuditCsv(question: AuditQuestion): Promise<Blob> {
  const response = await request("GET", `/v1/audit?${searchOf(question)}`, { accept: "text/csv" });
  return response.blob();
}

export function readSessions(signal?: AbortSignal): Promise<SessionList> {
  return send<SessionList>("GET", "/v1/me/sessions", { signal });
}

export async function endSession(id: string): Promise<void> {
  await request("DELETE", `/v1/me/sessions/${encodeURIComponent(id)}`);
}

export async function changePassword(currentPassword: string, newPassword: string): Promise<void> {
  const body = { current_password: currentPassword, new_password: newPassword };
  await request("POST", "/v1/me/password", { body });
}

/** The secret for an authenticator app; in force once `confirmTotp` gave a code of it. */
export function beginTotp(password: string): Promise<{ secret: string; address: string }> {
  return send("POST", "/v1/me/totp", { body: { password } });
}

/** The recovery codes, this once. */
export async function confirmTotp(code: string): Promise<string[]> {
  return (await send<{ recovery_codes: string[] }>("PUT", "/v1/me/totp", { body: { code } })).recovery_codes;
}

export async function removeTotp(password: string): Promise<void> {
  await request("DELETE", "/v1/me/totp", { body: { password } });
}

/** Answered alike whether or not there is such an account. */
export async function requestReset(email: string): Promise<void> {
  await request("POST", "/v1/password-resets", { body: { email } });
}

/** With the token of an invitation or a reset. */
export async function setPassword(token: string, password: string): Promise<void> {
  await request("POST", "/v1/password", { body: { token, password } });
}

/** Who is signed in; null when nobody is. */
export async function readMe(): Promise<Me | null> {
  try {
    return await send<Me>("GET", "/v1/me");
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return null;
    throw error;
  }
}

/** The ways in which people may sign in here. */
export function readSignInWays(): Promise<SignInWays> {
  return send<SignInWays>("GET", "/v1/session/ways");
}

export async function signIn(credentials: SignIn): Promise<void> {
  await request("POST", "/v1/session", { body: credentials, isSignIn: true });
}

export async function signOut(): Promise<void> {
  await request("DELETE", "/v1/session");
}

/** The query that asks this; what is undefined or empty is not asked. */
export function searchOf(question: object): URLSearchParams {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(question))
    if (value !== undefined && value !== "") search.set(name, String(value));
  return search;
}

interface RequestOptions {
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
}

/** An answer together with its `ETag`, to be edited on. */
export interface Tagged<Answer> {
  value: Answer;
  tag: string | undefined;
}

export async function sendTagged<Answer>(
  method: string,
  address: string,
  options?: RequestOptions,
): Promise<Tagged<Answer>> {
  const response = await request(method, address, options);
  return { value: await readJson<Answer>(response, options), tag: response.headers.get("etag") ?? undefined };
}

export async function send<Answer>(method: string, address: string, options?: RequestOptions): Promise<Answer> {
  return readJson<Answer>(await request(method, address, options), options);
}

/** The same as CSV, as the server writes it. */
export async function readCsv(address: string): Promise<Blob> {
  return (await request("GET", address, { accept: "text/csv" })).blob();
}

async function readJson<Answer>(response: Response, options?: RequestOptions): Promise<Answer> {
  try {
    return (await response.json()) as Answer;
  } catch {
    if (options?.signal?.aborted) throw new DOMException("aborted", "AbortError");
    throw new ApiError("unexpected_answer", "The answer was cut off or is not JSON.", { status: response.status });
  }
}

/** Where the answer has no body, or is not JSON. */
export async function request(method: string, address: string, options: RequestOptions = {}): Promise<Response> {
  const { body, csv, accept = "application/json", signal, isSignIn = false, ifMatch, idempotencyKey } = options;
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
      ...(csv === undefined ? body && { body: JSON.stringify(body) } : { body: csv }),
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("unreachable", "The server cannot be reached. It may be restarting, or the network is down.");
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
    return new ApiError("unexpected_answer", `The server answered ${response.status} without saying why.`, known);
  return new ApiError(problem.code, problem.detail, {
    ...known,
    problem,
    field: problem.field,
    requestId: problem.request_id ?? known.requestId,
  });
}
