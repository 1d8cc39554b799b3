import type { ProblemCode } from "../../contract/problem.ts";

/** The request as a whole is refused and nothing of it is kept; the message is for the emitter. */
export class RefusedRequestError extends Error {
  override name = "RefusedRequestError";
  readonly code: ProblemCode;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ProblemCode, message: string, retryAfterSeconds?: number, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
