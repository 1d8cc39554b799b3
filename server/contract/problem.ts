/** Errors as RFC 9457 problem+json: a closed set of codes, each with exactly one HTTP status. */
import { z } from "zod";

export const problemStatus = {
  invalid_request: 400,
  unreadable_body: 400,
  unauthenticated: 401,
  second_factor_required: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  conflict: 409,
  precondition_failed: 412,
  body_too_large: 413,
  too_many_events: 413,
  unsupported_media_type: 415,
  batch_rejected: 422,
  events_rejected: 422,
  idempotency_key_reused: 422,
  too_fast: 429,
  headers_too_large: 431,
  internal: 500,
  overloaded: 503,
  store_unavailable: 503,
} as const;
export type ProblemCode = keyof typeof problemStatus;

export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.enum(Object.keys(problemStatus) as [ProblemCode, ...ProblemCode[]]),
  detail: z.string(),
  field: z.string().optional().describe("The parameter or body field at fault"),
  request_id: z.string(),
});
export type Problem = z.infer<typeof problemSchema>;
