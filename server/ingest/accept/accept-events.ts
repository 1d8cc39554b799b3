/**
 * The verdict on each event of a request, whatever its neighbours are, and the lines that go to the log. Two pure steps
 * with one wait between them: `checkEvents` needs only the events; then unknown organizations are made and storage is
 * asked about ids; then `decideEvents` judges and claims in one turn, in which the caller must also append to the log.
 */
import type { EventType } from "../../catalog/event-types.ts";
import type { Rejection, Warning } from "../../contract/events.ts";
import { nodeAddress, parseNode } from "../../contract/node-address.ts";
import { explainForm, type Fault, type GivenEvent, hasEventForm } from "./event-gate.ts";
import { identityPrefix } from "./event-hash.ts";
import { nameOfStored } from "./event-identity.ts";
import { latenessOf, type OutcomeCount, type OutcomeOwner, OutcomeTally } from "./event-outcomes.ts";
import { escapeColumn, renderQuarantineRow } from "./event-row.ts";
import type { IdentifiedEvent, IdentityVerdict } from "./known-ids.ts";
import { outcomeOwner, outcomeOwnerOfKey } from "./outcome-owner.ts";
import { type ReadContext, type ReadEvent, readEvent, renderEventRow } from "./read-event.ts";
import type { Doubt } from "./recent-signs.ts";
import { namesOf, type RequestEvents } from "./request-events.ts";
import { admissible, isVisible, type OrganizationTree, type SendingKey } from "./sending-key.ts";

export interface CheckedEvents {
  readable: ReadEvent[];
  faults: { index: number; fault: Fault }[];
  warnings: Warning[];
}

/** Sorts events into those that mean something and those that do not, each with its reason. */
export function checkEvents(
  request: RequestEvents,
  receivedAtMs: number,
  eventType: (type: string) => EventType | undefined,
  firstReceivedMs = receivedAtMs,
): CheckedEvents {
  const checked: CheckedEvents = { readable: [], faults: [], warnings: [] };
  const prefixes = new Map<string, string>();
  const context: ReadContext = {
    receivedAtMs,
    firstReceivedMs,
    isPlain: request.isPlain,
    sources: request.sources,
    eventType,
    prefixOf(organization) {
      let prefix = prefixes.get(organization);
      if (prefix === undefined) {
        prefix = identityPrefix(organization);
        prefixes.set(organization, prefix);
      }
      return prefix;
    },
    warn: (warning) => checked.warnings.push(warning),
  };
  for (let index = 0; index < request.events.length; index++) {
    const event = request.events[index];
    const unreadable = request.unreadable.get(index);
    const read =
      unreadable ?? (hasEventForm(event, request.isPlain) ? readEvent(index, event, context) : explainForm(event));
    if ("code" in read) checked.faults.push({ index, fault: read });
    else checked.readable.push(read);
  }
  return checked;
}

export interface Decision {
  accepted: number;
  duplicates: number;
  /** In the order of the events, as are warnings. */
  rejected: Rejection[];
  warnings: Warning[];
  /** Nothing is taken because one event of an atomic request was rejected. */
  isAborted: boolean;
  eventRows: string[];
  quarantineRows: string[];
  /** What became of every event of the request, those of an aborted one too. */
  outcomes: OutcomeCount[];
  /** The verdict rests on events that may still be on their way to disk. */
  restsOnOthers: boolean;
}

export interface DecisionContext {
  receivedAtMs: number;
  isAtomic: boolean;
  sendingKey: SendingKey;
  tree: OrganizationTree;
  /** The tree as it stands where `tree` is the one that there would be: an aborted request makes no organization. Default: `tree`. */
  existing?: OrganizationTree;
  /** Judges an identity and claims it when it is new. */
  claim: (event: IdentifiedEvent) => IdentityVerdict;
  /** What there is to doubt about an event that is taken. */
  doubt?: ((event: GivenEvent) => Doubt | undefined) | undefined;
}

/** The verdicts and the lines of a checked request. When `isAborted`, the caller must give the claims back. */
export function decideEvents(request: RequestEvents, checked: CheckedEvents, context: DecisionContext): Decision {
  const { sendingKey, tree, receivedAtMs } = context;
  const owner = parseNode(sendingKey.node);
  const decision: Decision = {
    accepted: 0,
    duplicates: 0,
    rejected: [],
    warnings: checked.warnings,
    isAborted: false,
    eventRows: [],
    quarantineRows: [],
    outcomes: [],
    restsOnOthers: false,
  };
  const organizations = new Map<
    string,
    Fault | { organization: string; at: OutcomeOwner; accepted: number; duplicates: number }
  >();
  const warnedOf = warningsByIndex(checked.warnings);
  const warnedBefore = checked.warnings.length;
  const tally = new OutcomeTally();
  const keysOwner = outcomeOwnerOfKey(sendingKey, tree, receivedAtMs);
  const shared = { organization: "", partner: "", reseller: "", key: escapeColumn(sendingKey.id) };
  const reject = (index: number, fault: Fault) => {
    const { id, organization } = namesOf(request.events[index]);
    const isSeen = organization !== "" && isVisible(organization, sendingKey, tree);
    decision.rejected.push({ index, id, ...fault });
    tally.add(
      isSeen ? outcomeOwner(organization, sendingKey, tree, receivedAtMs) : keysOwner,
      sendingKey.id,
      "rejected",
      fault.code,
    );
    decision.quarantineRows.push(
      renderQuarantineRow({
        receivedAtMs,
        organization: isSeen ? organization : "",
        id: id ?? "",
        code: fault.code,
        field: fault.field ?? "",
        message: fault.message,
        key: sendingKey.id,
        raw: request.rawOf(index),
      }),
    );
  };
  for (const { index, fault } of checked.faults) reject(index, fault);
  for (const event of checked.readable) {
    let placed = organizations.get(event.organization);
    if (!placed) {
      const found = admissible(event.organization, sendingKey, tree);
      placed =
        "code" in found
          ? found
          : {
              ...found,
              at: outcomeOwner(event.organization, sendingKey, tree, receivedAtMs),
              accepted: 0,
              duplicates: 0,
            };
      organizations.set(event.organization, placed);
    }
    if ("code" in placed) {
      reject(event.index, placed);
      continue;
    }
    if (owner.kind === "agent" && event.agent !== owner.agent) {
      reject(event.index, {
        code: "outside_subtree",
        field: "agent",
        message: `this key writes only for ${sendingKey.node}`,
      });
      continue;
    }
    const { verdict, isChecked } = context.claim(event);
    if (verdict === "new") {
      const path = tree.pathAt(event.organization, event.timeMs);
      shared.organization = placed.organization;
      shared.partner = path ? escapeColumn(path.partner) : "";
      shared.reseller = path ? escapeColumn(path.reseller) : "";
      decision.accepted++;
      if (placed.accepted++ === 0) warnOfStatus(decision.warnings, event, tree);
      const lateness = latenessOf(event.timeMs, receivedAtMs);
      if (lateness !== undefined) tally.add(placed.at, sendingKey.id, "late", lateness);
      const doubt = context.doubt?.(request.events[event.index] as GivenEvent);
      if (doubt) {
        decision.warnings.push({ index: event.index, id: nameOfStored(event.id).id, ...doubt });
        tally.add(placed.at, sendingKey.id, "warned", doubt.code);
      }
      for (const code of warnedOf.get(event.index) ?? [])
        if (code === "unmatched_type") tally.add(placed.at, sendingKey.id, "unmatched");
        else tally.add(placed.at, sendingKey.id, "warned", code);
      decision.eventRows.push(renderEventRow(event, isChecked, receivedAtMs, shared, request.isPlain));
      continue;
    }
    decision.restsOnOthers = true;
    if (verdict === "duplicate") {
      decision.duplicates++;
      placed.duplicates++;
    } else reject(event.index, idConflict);
  }
  for (const placed of organizations.values()) {
    if ("code" in placed) continue;
    if (placed.accepted > 0) tally.add(placed.at, sendingKey.id, "accepted", "", placed.accepted);
    if (placed.duplicates > 0) tally.add(placed.at, sendingKey.id, "duplicate", "", placed.duplicates);
  }
  decision.outcomes = tally.list();
  decision.rejected.sort((a, b) => a.index - b.index);
  if (decision.warnings.length > warnedBefore) decision.warnings.sort((a, b) => a.index - b.index);
  dropWarningsOfRejected(decision);
  if (context.isAtomic && decision.rejected.length > 0) {
    abort(request, decision);
    decision.outcomes = outcomesOfAborted(request, decision.rejected, context, keysOwner);
  }
  return decision;
}

function warningsByIndex(warnings: readonly Warning[]): Map<number, Warning["code"][]> {
  const byIndex = new Map<number, Warning["code"][]>();
  for (const { index, code } of warnings) {
    const before = byIndex.get(index);
    if (before) before.push(code);
    else byIndex.set(index, [code]);
  }
  return byIndex;
}

/** Once for each organization of a request: what happened is metered whatever the account's state is, and its owner should know. */
function warnOfStatus(
  warnings: Warning[],
  { index, id: stored, organization }: ReadEvent,
  tree: OrganizationTree,
): void {
  const { id } = nameOfStored(stored);
  const status = tree.effectiveStatus(nodeAddress("organization", organization));
  if (status !== "suspended" && status !== "cancelled") return;
  const message = `the organization or what stands above it is ${status}; its events are counted all the same`;
  warnings.push({ index, id, code: "suspended_organization", field: "organization", message });
}

const idConflict: Fault = {
  code: "id_conflict",
  field: "id",
  message: "an event with this id and another body was taken before; it stands",
};

/** Every event of an aborted request is rejected, most of them for the sake of others. */
function outcomesOfAborted(
  request: RequestEvents,
  rejected: readonly Rejection[],
  { sendingKey, tree: intended, existing: tree = intended, receivedAtMs }: DecisionContext,
  keysOwner: OutcomeOwner,
): OutcomeCount[] {
  const tally = new OutcomeTally();
  for (const { index, code } of rejected) {
    const { organization } = namesOf(request.events[index]);
    const isSeen = organization !== "" && isVisible(organization, sendingKey, tree);
    const owner = isSeen ? outcomeOwner(organization, sendingKey, tree, receivedAtMs) : keysOwner;
    tally.add(owner, sendingKey.id, "rejected", code);
  }
  return tally.list();
}

function dropWarningsOfRejected(decision: Decision): void {
  if (decision.warnings.length === 0 || decision.rejected.length === 0) return;
  const rejected = new Set(decision.rejected.map(({ index }) => index));
  decision.warnings = decision.warnings.filter(({ index }) => !rejected.has(index));
}

function abort(request: RequestEvents, decision: Decision): void {
  const reasons = new Map(decision.rejected.map((rejection) => [rejection.index, rejection]));
  decision.isAborted = true;
  decision.accepted = 0;
  decision.duplicates = 0;
  decision.warnings = [];
  decision.eventRows = [];
  decision.quarantineRows = [];
  decision.rejected = request.events.map(
    (event, index) =>
      reasons.get(index) ?? {
        index,
        id: namesOf(event).id,
        code: "aborted",
        field: null,
        message: "not taken because another event of this atomic request was rejected",
      },
  );
}
