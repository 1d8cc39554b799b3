/** The events of a request body, whatever its form was. */
import { isBoundedText } from "../../contract/events.ts";
import { isStorableText } from "../../contract/text.ts";
import type { Fault } from "./event-gate.ts";

export interface RequestEvents {
  /** In the order of the request, of any form; undefined where `unreadable` says why. */
  events: unknown[];
  unreadable: ReadonlyMap<number, Fault>;
  /** The source of each CloudEvent, '' where it is unreadable; undefined where the events name none. */
  sources?: readonly string[] | undefined;
  /** No text in `events` holds a character that a column or a JSON string must escape: the body has no backslash. */
  isPlain: boolean;
  /** The event's own bytes as text, for quarantine. */
  rawOf(index: number): string;
}

/** What an event that may have any form calls itself; bounded, for it goes into an answer. */
export function namesOf(event: unknown): { id: string | null; organization: string } {
  if (typeof event !== "object" || event === null) return { id: null, organization: "" };
  const { id, organization } = event as Record<string, unknown>;
  return { id: isName(id) ? id : null, organization: isName(organization) ? organization : "" };
}

function isName(value: unknown): value is string {
  return typeof value === "string" && isBoundedText(value) && isStorableText(value);
}
