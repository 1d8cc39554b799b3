/**
 * Routes the events of a request to where they belong: each organization's by the node that owns it, which alone checks its
 * identities. The verdict of each part comes back before the request is answered, after the owner's log is on disk.
 *
 * A part whose owner cannot be reached (it was killed, is cut off, or it is not known whether it took them) is checked as far as
 * possible without the memory of identities, and logged here to be handed over: what was taken twice meanwhile is found by the
 * owner, by id. So nothing that is answered 202 rests on a node that is away, and no node ever decides for another.
 */

import { z } from "zod";
import { rejectionSchema, warningSchema } from "../contract/events.ts";
import { nodeAddress } from "../contract/node-address.ts";
import { checkEvents, decideEvents } from "../ingest/accept/accept-events.ts";
import {
  type AcceptDeps,
  appendDecision,
  createOrganizations,
  type Sender,
  type TakenEvents,
  type TakenVerdict,
  takeEvents,
} from "../ingest/accept/accept-request.ts";
import { organizationsToCreate, withOrganizations } from "../ingest/accept/new-organizations.ts";
import { Claims } from "../ingest/accept/recent-ids.ts";
import type { RequestEvents } from "../ingest/accept/request-events.ts";
import type { OrganizationTree, SendingKey } from "../ingest/accept/sending-key.ts";
import { parseExactJson, stringifyExact } from "../json/exact-json.ts";
import { parseJson } from "../json/parse-json.ts";
import type { Membership } from "./membership.ts";
import { NotMineError, type Peers, PeerUnavailableError } from "./peers.ts";

/** As nodes send it to each other and keep it on disk, where the sending key is named `emitter`. */
const senderSchema = z.object({
  emitter: z.object({
    id: z.string(),
    node: z.string(),
    alsoAt: z.array(z.string()).optional(),
    createOrganizations: z.boolean(),
  }),
  isAtomic: z.boolean(),
  firstReceivedMs: z.number(),
  isTrial: z.boolean(),
  isDryRun: z.boolean().default(false),
  /** For CloudEvents: the source of each event. */
  sources: z.array(z.string()).optional(),
  /** Organizations that exist, which the receiving node may not know yet. */
  known: z.array(z.string()),
});
export interface SentBy extends Omit<z.infer<typeof senderSchema>, "emitter"> {
  sendingKey: SendingKey;
}

/** What one node asks another to take: one line of JSON that says who sends, then the events as a JSON array. */
export interface SentEvents {
  by: SentBy;
  events: unknown[];
}

const takenSchema = z.object({
  accepted: z.number(),
  duplicates: z.number(),
  rejected: z.array(rejectionSchema),
  warnings: z.array(warningSchema),
  isAborted: z.boolean(),
});

export interface RouteDeps extends Pick<AcceptDeps, "log" | "knownIds" | "tree" | "eventType" | "now"> {
  membership: Pick<Membership, "name" | "nodes" | "ownerElsewhere" | "refresh">;
  peers: Peers;
  /** Logs events for the node that owns them (server/cluster/hinted-handoff.ts). Throws ProblemError. */
  handoff: { append(node: string, sent: SentEvents): Promise<void> };
}

/** Events that belong to one node, with where each of them was in the request. */
interface OwnerPart {
  /** Undefined: this one. */
  owner: string | undefined;
  indexes: number[];
}

/** Longer than a sync and a look-up take on a healthy node. */
const forwardWithinMs = 4_000;
/** How often owners are looked up again while partitions change hands. */
const maxTurns = 10;
const turnPauseMs = 100;

export function renderSent({ by, events }: SentEvents): Buffer {
  const { sendingKey: emitter, ...rest } = by;
  return Buffer.from(`${JSON.stringify({ emitter, ...rest })}\n${stringifyExact(events)}`, "utf8");
}

/** Throws when the bytes are not what `renderSent` made. */
export function parseSent(bytes: Buffer): SentEvents {
  const end = bytes.indexOf(0x0a);
  const { emitter: sendingKey, ...rest } = senderSchema.parse(parseJson(bytes.toString("utf8", 0, end)));
  const by = { sendingKey, ...rest };
  return { by, events: z.array(z.unknown()).parse(parseExactJson(bytes, end + 1)) };
}

/** Ingests events that belong to this node and to no other. Throws NotMineError, and then has taken none of them. */
export async function ingestLocally(deps: RouteDeps, { by, events }: SentEvents): Promise<TakenEvents> {
  const request = asRequest(events, by.sources);
  const mayTake = () => {
    for (const event of events)
      if (deps.membership.ownerElsewhere(organizationOf(event)) !== undefined)
        throw new NotMineError("an organization of these events belongs to another node");
  };
  mayTake();
  const unheard = by.known.filter((organization) => !deps.tree.get(nodeAddress("organization", organization)));
  // They exist, so this creates none: it only reads them.
  if (unheard.length > 0) await createOrganizations(deps.tree, unheard, { ...by.sendingKey, node: "all" });
  return await takeEvents(deps, request, by, { mayTake, isTrial: by.isTrial });
}

/** Routes the events of a request to their owners. Resolves when its verdict is durable. Throws ProblemError. */
export async function routeEvents(deps: RouteDeps, request: RequestEvents, sender: Sender): Promise<TakenEvents> {
  const parts = partsOf(deps, request);
  const by = {
    sendingKey: sender.sendingKey,
    isAtomic: sender.isAtomic,
    firstReceivedMs: sender.firstReceivedMs ?? deps.now(),
    isTrial: false,
    isDryRun: sender.isDryRun ?? false,
    known: [],
  };
  if (parts.length > 1 && sender.isAtomic) return await takeAllOrNothing(deps, request, by, parts);
  const take = async (part: OwnerPart) => ({ part, result: await takePart(deps, request, by, part) });
  // The part of this node comes first: when its log is full, nothing was accepted anywhere.
  const here = await Promise.all(parts.filter(({ owner }) => owner === undefined).map(take));
  const elsewhere = await Promise.all(parts.filter(({ owner }) => owner !== undefined).map(take));
  return merged([...here, ...elsewhere]);
}

/** Throws PeerUnavailableError or NotMineError when no owner takes the events now; they are then delivered later. */
export async function deliver(deps: RouteDeps, { by, events }: SentEvents): Promise<void> {
  const request = asRequest(events, by.sources);
  for (const part of partsOf(deps, request)) {
    const selected = sentOf(by, select(request, part.indexes));
    if (part.owner === undefined) await ingestLocally(deps, selected);
    else await forward(deps, part.owner, selected);
  }
}

function partsOf({ membership }: RouteDeps, { events, unreadable }: RequestEvents): OwnerPart[] {
  const parts = new Map<string | undefined, OwnerPart>();
  const owners = new Map<string, string | undefined>();
  events.forEach((event, index) => {
    const organization = unreadable.has(index) ? "" : organizationOf(event);
    // An event without an organization is rejected, which every node can do.
    if (organization !== "" && !owners.has(organization))
      owners.set(organization, membership.ownerElsewhere(organization));
    const owner = owners.get(organization);
    const part = parts.get(owner);
    if (part) part.indexes.push(index);
    else parts.set(owner, { owner, indexes: [index] });
  });
  // A request without events gets a verdict too.
  return parts.size > 0 ? [...parts.values()] : [{ owner: undefined, indexes: [] }];
}

function organizationOf(event: unknown): string {
  if (typeof event !== "object" || event === null || !("organization" in event)) return "";
  return typeof event.organization === "string" ? event.organization : "";
}

async function takePart(deps: RouteDeps, request: RequestEvents, by: SentBy, part: OwnerPart): Promise<TakenEvents> {
  const selected = select(request, part.indexes);
  for (let turn = 0; turn < maxTurns; turn++) {
    const [now, ...more] = partsOf(deps, selected);
    if (!now || more.length > 0) break;
    try {
      if (now.owner === undefined) {
        const mayTake = () => {
          if (partsOf(deps, selected).some(({ owner }) => owner !== undefined))
            throw new NotMineError("it changed hands");
        };
        return await takeEvents(deps, selected, by, { mayTake, isTrial: by.isTrial });
      }
      const decision = await forward(deps, now.owner, sentOf(by, selected));
      return { decision, position: null, elsewhereMs: by.isDryRun ? null : deps.now() };
    } catch (error) {
      if (!(error instanceof NotMineError)) {
        if (error instanceof PeerUnavailableError) break;
        throw error;
      }
      await deps.membership.refresh().catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, turnPauseMs));
    }
  }
  return await keep(deps, selected, by, part.owner ?? deps.membership.name);
}

async function forward(deps: RouteDeps, owner: string, sent: SentEvents): Promise<TakenVerdict> {
  const node = deps.membership.nodes().find(({ name }) => name === owner);
  if (!node?.isAlive) throw new PeerUnavailableError(`the ingest node ${owner} is away`);
  const known = sent.by.sendingKey.createOrganizations
    ? []
    : [...new Set(sent.events.map(organizationOf))].filter((one) => deps.tree.get(nodeAddress("organization", one)));
  const body = renderSent({ ...sent, by: { ...sent.by, known } });
  return await deps.peers.ask(node, "/cluster/events", body, takenSchema, forwardWithinMs);
}

/** Checks what can be checked here, and logs the rest as hints for its owner. */
async function keep(
  deps: RouteDeps,
  request: RequestEvents,
  by: SentBy,
  owner: string,
  conflicts: ReadonlySet<number> = new Set(),
): Promise<TakenEvents> {
  const { sendingKey, isAtomic, firstReceivedMs, isTrial, isDryRun } = by;
  const receivedAtMs = deps.now();
  const checked = checkEvents(request, receivedAtMs, deps.eventType, firstReceivedMs);
  const organizations = organizationsToCreate(request, checked, sendingKey, deps.tree);
  const conflicting = new Set(
    checked.readable.flatMap((event) => (conflicts.has(event.index) ? [event.identity] : [])),
  );
  const decide = (tree: OrganizationTree) =>
    decideEvents(
      request,
      { ...checked, warnings: [...checked.warnings] },
      {
        receivedAtMs,
        isAtomic,
        sendingKey,
        tree,
        existing: deps.tree,
        claim: ({ identity }) => ({ verdict: conflicting.has(identity) ? "conflict" : "new", isChecked: false }),
      },
    );
  let decision = decide(withOrganizations(deps.tree, organizations, sendingKey));
  if (isTrial || isDryRun) return { decision, position: null, elsewhereMs: null };
  if (organizations.length > 0 && !decision.isAborted) {
    await createOrganizations(deps.tree, organizations, sendingKey);
    decision = decide(deps.tree);
  }
  // Rejected events are recorded here, accepted ones where they belong.
  const outcomes = decision.outcomes.filter(({ outcome }) => outcome === "rejected");
  const rejections = { ...decision, eventRows: [], outcomes };
  const position = await appendDecision(deps.log, rejections, new Claims(), receivedAtMs);
  if (decision.isAborted) return { decision, position, elsewhereMs: null };
  const isRejected = new Set(decision.rejected.map(({ index }) => index));
  const taken = select(
    request,
    [...request.events.keys()].filter((index) => !isRejected.has(index)),
  );
  if (taken.events.length > 0) await deps.handoff.append(owner, sentOf({ ...by, isAtomic: false }, taken));
  return { decision, position, elsewhereMs: deps.now() };
}

/** One record holds the request until each part is where it belongs: a crash leaves all of it or nothing. */
async function takeAllOrNothing(
  deps: RouteDeps,
  request: RequestEvents,
  by: SentBy,
  parts: readonly OwnerPart[],
): Promise<TakenEvents> {
  const trials = [];
  for (const part of parts)
    trials.push({ part, result: await takePart(deps, request, { ...by, isAtomic: false, isTrial: true }, part) });
  const { decision } = merged(trials);
  const conflicts = new Set(decision.rejected.flatMap(({ index, code }) => (code === "id_conflict" ? [index] : [])));
  const kept = await keep(deps, request, by, deps.membership.name, conflicts);
  if (kept.decision.isAborted) return kept;
  return { ...kept, decision: { ...kept.decision, accepted: decision.accepted, duplicates: decision.duplicates } };
}

function select(request: RequestEvents, indexes: readonly number[]): RequestEvents {
  if (indexes.length === request.events.length) return request;
  const unreadable = new Map(
    indexes.flatMap((index, place) => {
      const fault = request.unreadable.get(index);
      return fault ? [[place, fault] as const] : [];
    }),
  );
  return {
    events: indexes.map((index) => request.events[index]),
    unreadable,
    sources: request.sources && indexes.map((index) => request.sources?.[index] ?? ""),
    isPlain: request.isPlain,
    rawOf: (place) => request.rawOf(indexes[place] as number),
  };
}

function sentOf(by: SentBy, { events, sources }: RequestEvents): SentEvents {
  return { by: { ...by, sources: sources && [...sources] }, events };
}

function asRequest(events: unknown[], sources: readonly string[] | undefined): RequestEvents {
  return { events, sources, unreadable: new Map(), isPlain: false, rawOf: (index) => stringifyExact(events[index]) };
}

/** The verdict on the whole request, made of the verdicts on its parts. */
function merged(taken: readonly { part: OwnerPart; result: TakenEvents }[]): TakenEvents {
  const [only] = taken;
  if (taken.length === 1 && only) return only.result;
  const decision: TakenVerdict = { accepted: 0, duplicates: 0, rejected: [], warnings: [], isAborted: false };
  let position: TakenEvents["position"] = null;
  let elsewhereMs: number | null = null;
  for (const { part, result } of taken) {
    const inRequest = <Entry extends { index: number }>(entry: Entry): Entry => ({
      ...entry,
      index: part.indexes[entry.index] ?? entry.index,
    });
    decision.accepted += result.decision.accepted;
    decision.duplicates += result.decision.duplicates;
    decision.rejected.push(...result.decision.rejected.map(inRequest));
    decision.warnings.push(...result.decision.warnings.map(inRequest));
    position ??= result.position;
    elsewhereMs = Math.max(elsewhereMs ?? 0, result.elsewhereMs ?? 0) || null;
  }
  const byIndex = (a: { index: number }, b: { index: number }) => a.index - b.index;
  decision.rejected.sort(byIndex);
  decision.warnings.sort(byIndex);
  return { decision, position, elsewhereMs };
}
