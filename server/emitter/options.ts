/** An emitter's options, and what it answers. */
import type { EmittedEvent, EventRejection, RequestRefusedError } from "./event.ts";

export interface EmitterOptions {
  /** The service's, without a slash at its end. */
  url: string;
  /** An API key that may ingest. */
  key: string;
  /** A request is sent when this many events wait; default 1,000, at most 10,000. */
  eventsPerRequest?: number;
  /** Or this many bytes of them; default 4 MiB. */
  bytesPerRequest?: number;
  /** Or when the oldest has waited so long; default 1,000. */
  maxAgeMs?: number;
  /** Requests on their way at once. Default 4. */
  concurrency?: number;
  /** Bytes of events held, those on their way included, before new ones are refused; default 64 MiB. */
  maxHeldBytes?: number;
  /**
   * Holds events in files of this folder instead of in memory: they outlive this program, however it ends, and a service
   * that is away for longer than memory lasts; another emitter with this folder sends them, one that starts or one that
   * runs. Up to `maxBytes`, default 1 GiB. What the machine itself had not written when it lost power is lost. A folder is
   * for programs of one machine.
   */
  spool?: { directory: string; maxBytes?: number };
  /** `stored` waits until the events can be queried; default `durable`: until they are on the service's disk. */
  ack?: "durable" | "stored";
  /** How long one attempt may take; default 60,000. */
  requestTimeoutMs?: number;
  /** Told of each event that the service rejected, and why: sending it again unchanged would change nothing. */
  onRejected?: (rejection: EventRejection, event: EmittedEvent) => void;
  /** Told when the service refuses a request. Its events are kept and sent again, ever more seldom. */
  onRefused?: (error: RequestRefusedError) => void;
  /** Takes messages for people, a line at a time; default: stderr. */
  report?: (line: string) => void;
  /** Ends retries: what is on its way then rejects with the signal's reason. */
  signal?: AbortSignal;
  random?: () => number;
}

/** What the service answered so far. A retry whose first answer was lost counts as duplicates. */
export interface Totals {
  requests: number;
  retries: number;
  accepted: number;
  duplicates: number;
  rejected: number;
  /** The first rejections, to show. */
  rejections: EventRejection[];
}

export interface Closed {
  /** Events that the service has not answered for: with a spool they wait in its folder, without one they are lost. */
  unsent: number;
  rejected: number;
}

export interface CloseOptions {
  /** How long what waits may still be sent; default 5,000. */
  withinMs?: number;
  /** Those who are still there get a last sign of life (`alive`, the default), by which they end in time, or are said to have `left`. */
  presences?: "alive" | "left";
}

/** Someone or something that is there, and says so until it leaves. */
export interface Presence {
  /** The interval's id, by which the service knows its events. */
  readonly interval: string;
  /** Says now that it is still there; a timer does so by itself. */
  alive(): void;
  /** It left; calls after the first do nothing. */
  left(): void;
}

export interface PresenceOptions {
  /** What is present: `participant`, `recording`, … with the words of its events; default: a participant joins and leaves. */
  words?: { start: string; alive: string; end: string };
  /** Between two signs of life; default 30,000. The service ends the interval at the last one after three are missing. */
  aliveEveryMs?: number;
}
