/** The only way for a handler to refuse: a code of the closed set, which decides the status. */
import type { ProblemCode } from "./contract/problem.ts";

export interface ProblemDetails {
  /** The parameter or body field at fault. */
  field?: string | undefined;
  /** Sent as `Retry-After`. */
  retryAfterSeconds?: number | undefined;
  /** What the server's log should have of it. */
  cause?: unknown;
}

export class ProblemError extends Error {
  readonly code: ProblemCode;
  readonly field: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  /** `detail` is shown to the caller. */
  constructor(code: ProblemCode, detail: string, { field, retryAfterSeconds, cause }: ProblemDetails = {}) {
    super(detail, { cause });
    this.name = "ProblemError";
    this.code = code;
    this.field = field;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
