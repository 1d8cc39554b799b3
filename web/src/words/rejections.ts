/** Why events were not taken, or are doubted, in words that go on after a colon; the codes themselves are the API's. */
import type { RejectionCode, WarningCode } from "@contract/events.ts";

const words: Record<RejectionCode, string> = {
  not_json: "not JSON",
  not_an_object: "not a JSON object",
  missing_field: "a field is missing",
  unknown_field: "a field that is not known",
  invalid_field: "a field that is not valid",
  time_too_old: "too long ago",
  time_too_far_ahead: "too far in the future",
  invalid_cloudevent: "not a valid CloudEvent",
  unknown_organization: "an organization that is not known",
  outside_subtree: "outside what its key may send",
  id_conflict: "an id that another event has",
  too_complex: "nested more deeply, or with more in it, than an event may be",
  refused_by_storage: "refused by the database",
  aborted: "beside a rejected event, in an all-or-nothing request",
};

/** A code that this page does not know is shown as it is. */
export const rejectionWords = (code: string): string => words[code as RejectionCode] ?? code;

const warnings: Record<WarningCode, string> = {
  clock_skew: "a time ahead of the server's clock",
  unmatched_type: "a type that no meter knows",
  suspended_organization: "a suspended or cancelled organization",
  rounded: "rounded to nine decimals",
  missing_value: "no minutes were given",
  unknown_value: "a value that is none of the usual ones",
  not_a_number: "a text where a number is counted",
  completed_twice: "a job that was completed before",
  ambiguous_pairing: "one user on two devices without intervals",
  interval_mismatch: "an interval named by a start or its end alone",
};

/** A code that this page does not know is shown as it is. */
export const warningWords = (code: string): string => warnings[code as WarningCode] ?? code;
