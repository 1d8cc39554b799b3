/** The events of a request body, whatever its form was. */
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
