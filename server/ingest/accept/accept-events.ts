/**
 * The verdict on each event of a request, whatever its neighbours are, and the lines that go to the log. Two pure steps
 * with one wait between them: `checkEvents` needs only the events; then unknown organizations are made and storage is
 * asked about ids; then `decideEvents` decides and claims in one turn, in which the caller must also append to the log.
 */
import type { EventType } from "../../catalog/event-types.ts";
import type { Rejection, Warning } from "../../contract/events.ts";
import { agentAddress, nodeAddress } from "../../contract/node-address.ts";
import { explainForm, type Fault, type GivenEvent, hasEventForm } from "./event-gate.ts";
import { identityPrefix } from "./event-hash.ts";
import { nameOfStored } from "./event-identity.ts";
import { latenessOf, type OutcomeCount, type OutcomeOwner, OutcomeTally } from "./event-outcomes.ts";
import { escapeColumn, renderQuarantineRow } from "./event-row.ts";
import type { IdentifiedEvent, IdentityVerdict } from "./known-ids.ts";
import { outcomeOwner, outcomeOwnerOfKey } from "./outcome-owner.ts";
import { type ReadContext, type ReadEvent, readEvent, renderEventRow, type SharedColumns } from "./read-event.ts";
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
  /** Decides on an identity and claims it when it is new. */
  claim: (event: IdentifiedEvent) => IdentityVerdict;
  /** What there is to doubt about an event that is taken. */
  doubt?: ((event: GivenEvent) => Doubt | undefined) | undefined;
}

/** The verdicts and the lines of a checked request. When `isAborted`, the caller must give the claims back. */
export function decideEvents(request: RequestEvents, checked: CheckedEvents, context: DecisionContext): Decision {
  const decider = new Decider(request, checked.warnings, context);
  for (const { index, fault } of checked.faults) decider.reject(index, fault);
  for (const event of checked.readable) decider.decide(event);
  return decider.decision();
}

/** An organization that the key may write for, and how many of its events came to what. */
interface Admitted {
  organization: string;
  /** For whom alone it may write; undefined: for all of the organization. */
  agents: readonly string[] | undefined;
  at: OutcomeOwner;
  accepted: number;
  duplicates: number;
}

/** A decision in the making. */
class Decider {
  readonly #request: RequestEvents;
  readonly #context: DecisionContext;
  readonly #decision: Decision;
  readonly #keysOwner: OutcomeOwner;
  readonly #admitted = new Map<string, Admitted | Fault>();
  readonly #warnedOf: Map<number, Warning["code"][]>;
  readonly #warnedBefore: number;
  readonly #tally = new OutcomeTally();
  readonly #shared: SharedColumns;

  constructor(request: RequestEvents, warnings: Warning[], context: DecisionContext) {
    const { sendingKey } = context;
    this.#request = request;
    this.#context = context;
    this.#decision = {
      accepted: 0,
      duplicates: 0,
      rejected: [],
      warnings,
      isAborted: false,
      restsOnOthers: false,
      eventRows: [],
      quarantineRows: [],
      outcomes: [],
    };
    this.#keysOwner = outcomeOwnerOfKey(sendingKey, context.tree, context.receivedAtMs);
    this.#warnedOf = warningsByIndex(warnings);
    this.#warnedBefore = warnings.length;
    this.#shared = { organization: "", partner: "", reseller: "", key: escapeColumn(sendingKey.id) };
  }

  reject(index: number, fault: Fault): void {
    const { sendingKey, receivedAtMs } = this.#context;
    const { id, organization } = namesOf(this.#request.events[index]);
    const seen = visibleOwner(organization, this.#context);
    this.#decision.rejected.push({ index, id, ...fault });
    this.#tally.add(seen ?? this.#keysOwner, sendingKey.id, "rejected", fault.code);
    this.#decision.quarantineRows.push(
      renderQuarantineRow({
        receivedAtMs,
        organization: seen ? organization : "",
        id: id ?? "",
        code: fault.code,
        field: fault.field ?? "",
        message: fault.message,
        key: sendingKey.id,
        raw: this.#request.rawOf(index),
      }),
    );
  }

  decide(event: ReadEvent): void {
    const admitted = this.#admit(event.organization);
    if ("code" in admitted) {
      this.reject(event.index, admitted);
      return;
    }
    const { agents } = admitted;
    if (agents !== undefined && (event.agent === undefined || !agents.includes(event.agent))) {
      const whom = agents.map((agent) => agentAddress(event.organization, agent)).join(" or ");
      const message = `this key can only send for ${whom}`;
      this.reject(event.index, { code: "outside_subtree", field: "agent", message });
      return;
    }
    const { verdict, isChecked } = this.#context.claim(event);
    if (verdict === "new") {
      this.#accept(event, isChecked, admitted);
      return;
    }
    this.#decision.restsOnOthers = true;
    if (verdict === "duplicate") {
      this.#decision.duplicates++;
      admitted.duplicates++;
    } else this.reject(event.index, idConflict);
  }

  #admit(organization: string): Admitted | Fault {
    const known = this.#admitted.get(organization);
    if (known) return known;
    const { sendingKey, tree, receivedAtMs } = this.#context;
    const found = admissible(organization, sendingKey, tree);
    const at = () => outcomeOwner(organization, sendingKey, tree, receivedAtMs);
    const admitted = "code" in found ? found : { ...found, at: at(), accepted: 0, duplicates: 0 };
    this.#admitted.set(organization, admitted);
    return admitted;
  }

  #accept(event: ReadEvent, isChecked: boolean, admitted: Admitted): void {
    const { tree, receivedAtMs } = this.#context;
    const path = tree.pathAt(event.organization, event.timeMs);
    this.#shared.organization = admitted.organization;
    this.#shared.partner = path ? escapeColumn(path.partner) : "";
    this.#shared.reseller = path ? escapeColumn(path.reseller) : "";
    this.#decision.accepted++;
    if (admitted.accepted++ === 0) warnOfStatus(this.#decision.warnings, event, tree);
    this.#countDoubts(event, admitted.at);
    this.#decision.eventRows.push(renderEventRow(event, isChecked, receivedAtMs, this.#shared, this.#request.isPlain));
  }

  #countDoubts({ index, id, timeMs }: ReadEvent, at: OutcomeOwner): void {
    const { sendingKey, receivedAtMs } = this.#context;
    const lateness = latenessOf(timeMs, receivedAtMs);
    if (lateness !== undefined) this.#tally.add(at, sendingKey.id, "late", lateness);
    const doubt = this.#context.doubt?.(this.#request.events[index] as GivenEvent);
    if (doubt) {
      this.#decision.warnings.push({ index, id: nameOfStored(id).id, ...doubt });
      this.#tally.add(at, sendingKey.id, "warned", doubt.code);
    }
    const warned = this.#warnedOf.get(index);
    if (warned === undefined) return;
    for (const code of warned)
      if (code === "unmatched_type") this.#tally.add(at, sendingKey.id, "unmatched");
      else this.#tally.add(at, sendingKey.id, "warned", code);
  }

  decision(): Decision {
    const decision = this.#decision;
    const { id } = this.#context.sendingKey;
    for (const admitted of this.#admitted.values()) {
      if ("code" in admitted) continue;
      if (admitted.accepted > 0) this.#tally.add(admitted.at, id, "accepted", "", admitted.accepted);
      if (admitted.duplicates > 0) this.#tally.add(admitted.at, id, "duplicate", "", admitted.duplicates);
    }
    decision.outcomes = this.#tally.list();
    decision.rejected.sort((a, b) => a.index - b.index);
    if (decision.warnings.length > this.#warnedBefore) decision.warnings.sort((a, b) => a.index - b.index);
    dropWarningsOfRejected(decision);
    if (this.#context.isAtomic && decision.rejected.length > 0) {
      abort(this.#request, decision);
      decision.outcomes = outcomesOfAborted(this.#request, decision.rejected, this.#context, this.#keysOwner);
    }
    return decision;
  }
}

/** Undefined where the key must not learn whether there is such an organization. */
function visibleOwner(
  organization: string,
  { sendingKey, tree, receivedAtMs }: DecisionContext,
): OutcomeOwner | undefined {
  const isSeen = organization !== "" && isVisible(organization, sendingKey, tree);
  return isSeen ? outcomeOwner(organization, sendingKey, tree, receivedAtMs) : undefined;
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
  const message = `the organization or a node above it is ${status}; its events are still counted`;
  warnings.push({ index, id, code: "suspended_organization", field: "organization", message });
}

const idConflict: Fault = {
  code: "id_conflict",
  field: "id",
  message: "an event with this ID but a different body was accepted earlier, and that one counts",
};

/** Every event of an aborted request is rejected, most of them for the sake of others. */
function outcomesOfAborted(
  request: RequestEvents,
  rejected: readonly Rejection[],
  context: DecisionContext,
  keysOwner: OutcomeOwner,
): OutcomeCount[] {
  const standing = { ...context, tree: context.existing ?? context.tree };
  const tally = new OutcomeTally();
  for (const { index, code } of rejected) {
    const { organization } = namesOf(request.events[index]);
    tally.add(visibleOwner(organization, standing) ?? keysOwner, context.sendingKey.id, "rejected", code);
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
        message: "not accepted because another event of this atomic request was rejected",
      },
  );
}
