/** What is sent, and what the service says about it. */
import { randomBytes } from "node:crypto";

/** An event as the service takes it; `id` and `time` are set when they are missing. */
export interface EmittedEvent {
  id?: string | undefined;
  type: string;
  organization: string;
  /** RFC 3339. */
  time?: string | undefined;
  agent?: string | undefined;
  user?: string | undefined;
  session?: string | undefined;
  room?: string | undefined;
  interval?: string | undefined;
  job?: string | undefined;
  started_at?: string | undefined;
  /** A decimal; of types that measure time it is minutes. */
  value?: string | number | undefined;
  /** In place of `value`, for types whose value is minutes. */
  seconds?: string | number | undefined;
  properties?: Record<string, string | number | boolean> | undefined;
}

export interface EventRejection {
  index: number;
  id: string | null;
  code: string;
  field: string | null;
  message: string;
}

export interface Verdict {
  accepted: number;
  duplicates: number;
  rejected: EventRejection[];
  warnings?: EventRejection[];
}

/** The service refused a whole request: a key without the right, a body that it cannot read. Its events are still held. */
export class RequestRefusedError extends Error {
  override name = "RequestRefusedError";
  readonly status: number;
  constructor(status: number, answer: string) {
    super(`the service refused events with ${status}: ${reasonIn(answer)}`);
    this.status = status;
  }
}

function reasonIn(answer: string): string {
  try {
    const problem = JSON.parse(answer) as { detail?: string; title?: string };
    return problem.detail ?? problem.title ?? answer.slice(0, 1_000);
  } catch {
    return answer.slice(0, 1_000);
  }
}

/** A version 7 UUID (RFC 9562): its first 48 bits are the time, the others but six are random. */
export function uuidV7(nowMs = Date.now()): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(nowMs, 0, 6);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
