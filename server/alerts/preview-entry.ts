/** A notification that a rule would have sent at an instant, as a preview shows it. */
import type { PreviewAnswer } from "../contract/rules.ts";
import type { Finding } from "./finding.ts";

export type Would = PreviewAnswer["would"][number];

/** More readings than a preview takes. */
export class TooManyReadingsError extends Error {
  override name = "TooManyReadingsError";
}

/** `atMs`: ms since 1970, UTC. */
export function wouldOf(
  { node, value, limit, threshold, feature, meter, explanation }: Omit<Finding, "finding" | "subject" | "once">,
  atMs: number,
): Would {
  return {
    node,
    at: new Date(atMs).toISOString(),
    explanation,
    value: value ?? null,
    limit: limit ?? null,
    threshold: threshold ?? null,
    feature: feature ?? null,
    meter: meter ?? null,
  };
}
