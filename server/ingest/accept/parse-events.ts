/**
 * From JSON to events, without trusting it: what nests or holds more than any event is recognised by its bytes, is never parsed,
 * and harms itself alone where it stands beside others.
 */
import { limits } from "../../contract/events.ts";
import { brokenBound, elementsOf, type JsonBounds } from "../../json/json-bounds.ts";
import { ProblemError } from "../../problem.ts";
import type { Fault } from "./event-gate.ts";

/** An event nests two levels and a CloudEvent four; whatever comes near is left to the checks that name a field. */
const eventBounds: JsonBounds = { maxDepth: 32, maxMembers: 5_000, maxContainers: 32 };
/** A body within these bounds is parsed at once; 10,000 CloudEvents are well within them. */
const bodyBounds: JsonBounds = {
  maxDepth: eventBounds.maxDepth + 1,
  maxMembers: limits.maxEventsPerRequest,
  maxContainers: 100_000,
};

/** Why the JSON in [from, to) cannot be an event; undefined when it may be one. */
export function faultOfText(bytes: Uint8Array, from = 0, to = bytes.length): Fault | undefined {
  const fault = brokenBound(bytes, eventBounds, from, to);
  return fault === undefined ? undefined : { code: "too_complex", field: null, message: `the event ${fault}` };
}

/**
 * The same of lines of `bytes`, in their order. A usual one is told by the few objects that it opens, without a look at each of its
 * bytes: without an array it nests no deeper than it opens objects, and has fewer members than bytes.
 */
export function linesFaults(bytes: Buffer): (from: number, to: number) => Fault | undefined {
  const hasArrays = bytes.includes(openArray);
  const maxOpened = Math.min(eventBounds.maxDepth, eventBounds.maxContainers);
  let next = hasArrays ? -1 : bytes.indexOf(openObject);
  return (from, to) => {
    if (hasArrays || to - from > eventBounds.maxMembers) return faultOfText(bytes, from, to);
    // Each byte is searched once, whatever the lines are.
    if (next >= 0 && next < from) next = bytes.indexOf(openObject, from);
    let opened = 0;
    for (; next >= 0 && next < to && opened <= maxOpened; opened++) next = bytes.indexOf(openObject, next + 1);
    return opened > maxOpened ? faultOfText(bytes, from, to) : undefined;
  };
}

const [openArray, openObject] = ["[", "{"].map((one) => one.charCodeAt(0)) as [number, number];

export interface ParsedArray {
  /** Undefined where `unreadable` says why. */
  events: unknown[];
  unreadable: ReadonlyMap<number, Fault>;
}

/**
 * The elements of an array that begins at `from`; `parse` is asked for what keeps to its bounds and throws for what is not
 * JSON. Undefined where the body keeps to the bounds of a whole one or is no array: then it may be parsed at once.
 * Throws ProblemError: too_many_events, unreadable_body.
 */
export function parseSuspectArray(
  bytes: Buffer,
  from: number,
  parse: (from: number, to: number) => unknown,
): ParsedArray | undefined {
  const suspicion = brokenBound(bytes, bodyBounds, from);
  if (suspicion === undefined) return undefined;
  const elements = elementsOf(bytes, from, limits.maxEventsPerRequest);
  if (elements === undefined) throw new ProblemError("unreadable_body", `the body ${suspicion}`);
  if (elements.length > limits.maxEventsPerRequest)
    throw new ProblemError("too_many_events", `a request can have at most ${limits.maxEventsPerRequest} events`);
  const unreadable = new Map<number, Fault>();
  const events = elements.map(([start, end], index) => {
    const fault = faultOfText(bytes, start, end);
    if (fault) unreadable.set(index, fault);
    return fault ? undefined : parse(start, end);
  });
  return { events, unreadable };
}
