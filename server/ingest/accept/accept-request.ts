/**
 * One request from its headers to the disk. The numbered steps are the order that the guarantees rest on: nothing is
 * answered before its record is synced, and between deciding on identities and appending to the log nothing else runs.
 */
import type { Readable } from "node:stream";
import type { EventType } from "../../catalog/event-types.ts";
import { limits } from "../../contract/events.ts";
import { ProblemError } from "../../problem.ts";
import { TooManyNodesError } from "../../tree/creation-limits.ts";
import { tenantOf } from "../../tree/tenant-of.ts";
import { LogFailedError, LogFullError } from "../log/log-errors.ts";
import type { LogPosition, WriteAheadLog } from "../log/write-ahead-log.ts";
import { checkEvents, type Decision, type DecisionContext, decideEvents } from "./accept-events.ts";
import type { Admission, RateState } from "./backpressure.ts";
import type { GivenEvent } from "./event-gate.ts";
import type { Reservation } from "./event-memory.ts";
import { inflateBody } from "./inflate-body.ts";
import type { KnownIds, StoredAnswers } from "./known-ids.ts";
import { organizationsToCreate, withOrganizations } from "./new-organizations.ts";
import { type BodyForm, bodyFormOf, readBody } from "./read-body.ts";
import { receiveBody } from "./receive-body.ts";
import { Claims } from "./recent-ids.ts";
import type { RequestSigns } from "./recent-signs.ts";
import type { RequestEvents } from "./request-events.ts";
import { renderRequestRecord } from "./request-record.ts";
import type { OrganizationTree, SendingKey } from "./sending-key.ts";

export interface AcceptingTree extends OrganizationTree {
  /** Makes those of the organizations that do not exist, below `parent`; when it resolves, the tree knows them. */
  ensureOrganizations(organizations: string[], parent: string, by: undefined, emitterId: string): Promise<void>;
}

export interface AcceptDeps {
  log: Pick<WriteAheadLog, "append">;
  knownIds: KnownIds;
  tree: AcceptingTree;
  admission: Admission;
  eventType: (type: string) => EventType | undefined;
  now: () => number;
  /** For a whole body to arrive; default 30,000. */
  bodyTimeoutMs?: number;
  /** Where events of some organizations are taken by other nodes (server/cluster); default: all are taken here. */
  takeElsewhere?: ((events: RequestEvents, sender: Sender) => Promise<TakenEvents>) | undefined;
}

/** Who sends events, and how. */
export interface Sender {
  sendingKey: SendingKey;
  isAtomic: boolean;
  /** The verdict is what it would be; nothing is taken, made or remembered. */
  isDryRun?: boolean | undefined;
  /** When the events were received the first time (ms since 1970): the time of those that carry none; default: now. */
  firstReceivedMs?: number | undefined;
}

export type TakenVerdict = Pick<Decision, "accepted" | "duplicates" | "rejected" | "warnings" | "isAborted">;

export interface TakenEvents {
  decision: TakenVerdict;
  /** Everything that the verdict rests on lies in the log of this process before this; null when nothing of it does. */
  position: LogPosition | null;
  /** Some of the events lie in logs of other processes, and can be queried when the watermark is past this; null: none do. */
  elsewhereMs: number | null;
}

export interface IncomingRequest extends Sender {
  headers: Headers;
  body: Readable | ReadableStream<Uint8Array> | null;
}

export interface AcceptedRequest extends TakenEvents {
  rate: RateState;
}

/** Dry runs are bounded as events are, and take nothing of what a key may send. */
export function rateKeyOf({ sendingKey, isDryRun }: Sender): string {
  return isDryRun ? `${sendingKey.id} dry run` : sendingKey.id;
}

/** A body that does not compress still fits when coded: gzip and br add far less than this. */
const codingOverheadBytes = 64 * 1024;

/**
 * Takes a request. When it resolves, its verdict is durable. Throws ProblemError when nothing of the request
 * was taken (with LogFailedError as its cause: when that is unknown, and a retry with the same ids is safe).
 */
export async function acceptRequest(deps: AcceptDeps, request: IncomingRequest): Promise<AcceptedRequest> {
  const { admission } = deps;

  // 1. Refuse by headers and load alone, before a byte of the body is read.
  const { headers } = request;
  const form = bodyFormOf(headers);
  const maxBytes = limits.maxInflatedBytes + (form.encoding === "identity" ? 0 : codingOverheadBytes);
  const announcedBytes = announcedLength(headers);
  admission.enter(rateKeyOf(request), announcedBytes, maxBytes);
  const { id: key, node } = request.sendingKey;
  const reservation = await admission.memory.reserve(
    { key, tenant: tenantOf(node, deps.tree) },
    announcedBytes,
    form.encoding !== "identity",
  );
  try {
    const { rate, taking } = await beginTaking(deps, request, form, maxBytes, reservation);
    return { ...(await taking), rate };
  } finally {
    reservation.release();
  }
}

/** Returns once the body was read: while the disk is waited for, nothing of it is kept here. */
async function beginTaking(
  deps: AcceptDeps,
  request: IncomingRequest,
  form: BodyForm,
  maxBytes: number,
  reservation: Reservation,
): Promise<{ rate: RateState; taking: Promise<TakenEvents> }> {
  // 2. Read and parse. A body that cannot be read leaves nothing behind.
  const bytes = await receiveBody(request.body, {
    maxBytes,
    timeoutMs: deps.bodyTimeoutMs ?? 30_000,
    onBytes: reservation.take,
  });
  const inflated = await inflateBody(bytes, form.encoding);
  if (inflated !== bytes) reservation.take(inflated.length);
  const events = readBody(inflated, form, request.headers);
  const rate = deps.admission.spend(rateKeyOf(request), events.events.length);
  const taking = deps.takeElsewhere ? deps.takeElsewhere(events, request) : takeEvents(deps, events, request);
  return { rate, taking };
}

/**
 * Takes events that were read, in this process. `mayTake` is asked in the turn in which identities are decided on, and nothing
 * is taken when it throws; `isTrial`: nothing is taken in any case, the verdict is what it would be.
 */
export async function takeEvents(
  deps: Pick<AcceptDeps, "log" | "knownIds" | "tree" | "eventType" | "now">,
  events: RequestEvents,
  { sendingKey, isAtomic, isDryRun = false, firstReceivedMs }: Sender,
  { mayTake = () => undefined, isTrial = false }: { mayTake?: () => void; isTrial?: boolean } = {},
): Promise<TakenEvents & { decision: Decision }> {
  const { knownIds, tree, log } = deps;
  const receivedAtMs = deps.now();
  const checked = checkEvents(events, receivedAtMs, deps.eventType, firstReceivedMs);

  const organizations = organizationsToCreate(events, checked, sendingKey, tree);
  const context = { receivedAtMs, isAtomic, sendingKey };
  const askOfIds = async (): Promise<StoredAnswers> => {
    const unsure = checked.readable.filter((event) => knownIds.mustAsk(event));
    return unsure.length > 0 ? await knownIds.ask(unsure) : undefined;
  };
  /** The verdict as it would be, without claiming an identity. */
  const foresee = (answers: StoredAnswers, doubt?: DecisionContext["doubt"]) => {
    const before = new Map<string, bigint>();
    return decideEvents(
      events,
      { ...checked, warnings: [...checked.warnings] },
      {
        ...context,
        tree: withOrganizations(tree, organizations, sendingKey),
        existing: tree,
        claim: (event) => knownIds.verdictOn(event, answers, before),
        doubt,
      },
    );
  };

  // 3. The waits, on which nothing is claimed yet. What will be refused as a whole makes no organization.
  if (organizations.length > 0 && !isDryRun && !isTrial) {
    const foreseen = isAtomic ? foresee(await askOfIds()) : undefined;
    if (foreseen?.isAborted) {
      mayTake();
      const position = await appendDecision(log, foreseen, new Claims(), receivedAtMs);
      return { decision: foreseen, position, elsewhereMs: null };
    }
    await createOrganizations(tree, organizations, sendingKey);
  }
  const answers = await askOfIds();

  // 4. Decide, claim and append in one turn: the log has identities in the order in which they were decided on.
  mayTake();
  const signs = knownIds.signs.begin();
  const doubt = (event: GivenEvent) => {
    const type = deps.eventType(event.type);
    return type && signs.doubt(event, type);
  };
  if (isTrial || isDryRun) return { decision: foresee(answers, doubt), position: null, elsewhereMs: null };
  const claims = new Claims();
  const decision = decideEvents(events, checked, {
    ...context,
    tree,
    doubt,
    claim: (event) => knownIds.claim(event, answers, claims),
  });
  if (decision.isAborted) claims.forget();
  return onceLogged(decision, appendDecision(log, decision, claims, receivedAtMs), signs);
}

/** Apart from what decided, so that the wait keeps nothing of it: thousands of events would outlive the young generation. */
async function onceLogged(
  decision: Decision,
  logged: Promise<LogPosition | null>,
  signs: RequestSigns,
): Promise<TakenEvents & { decision: Decision }> {
  const position = await logged;
  if (!decision.isAborted) signs.keep();
  return { decision, position, elsewhereMs: null };
}

export async function createOrganizations(
  tree: AcceptingTree,
  organizations: string[],
  sendingKey: SendingKey,
): Promise<void> {
  try {
    await tree.ensureOrganizations(organizations, sendingKey.node, undefined, sendingKey.id);
  } catch (cause) {
    if (cause instanceof TooManyNodesError) {
      const message =
        "nothing was accepted: this key is creating too many organizations in a short time; send the events again later";
      throw new ProblemError("too_fast", message, { retryAfterSeconds: cause.retryAfterSeconds, cause });
    }
    const message = "nothing was accepted: organizations cannot be created right now; send the events again later";
    throw new ProblemError("store_unavailable", message, { retryAfterSeconds: 5, cause });
  }
}

/** Puts a decision into the log, and its claims with it. Throws ProblemError when it cannot be. */
export async function appendDecision(
  log: AcceptDeps["log"],
  decision: Decision,
  claims: Claims,
  receivedAtMs: number,
): Promise<LogPosition | null> {
  try {
    // Verdicts that leave nothing to store are logged too, for the counts of what became of events; and a duplicate's
    // first copy, which may still be on its way to disk, is there when this record is.
    if (decision.outcomes.length === 0) return null;
    const record = renderRequestRecord({
      receivedAtMs,
      events: decision.eventRows,
      quarantined: decision.quarantineRows,
      outcomes: decision.outcomes,
    });
    // They are in the record now, and nobody else asks for them.
    Object.assign(decision, { eventRows: [], quarantineRows: [] });
    return await log.append(record).then(
      (position) => {
        claims.logged(position);
        return position;
      },
      (error: unknown) => {
        claims.forget();
        throw error;
      },
    );
  } catch (error) {
    throw logRefusal(error);
  }
}

/** The answer to a request that could not be logged. */
export function logRefusal(error: unknown): unknown {
  if (error instanceof LogFullError) {
    return new ProblemError("overloaded", "nothing was accepted: the log is full; send the events again later", {
      retryAfterSeconds: 30,
      cause: error,
    });
  }
  if (error instanceof LogFailedError) {
    return new ProblemError("store_unavailable", "the log cannot be written; send the events again with the same IDs", {
      retryAfterSeconds: 10,
    });
  }
  return error;
}

function announcedLength(headers: Headers): number | undefined {
  const length = headers.get("content-length");
  return length !== null && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}
