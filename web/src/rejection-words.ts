/** Why events were not taken, in words that go on after a colon; the codes themselves are the API's. */
import type { RejectionCode } from "@contract/events.ts";

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
  refused_by_storage: "refused by the database",
  aborted: "beside a rejected event, in an all-or-nothing request",
};

/** A code that this page does not know is shown as it is. */
export const rejectionWords = (code: string): string => words[code as RejectionCode] ?? code;
