/** How reports look and how long they are kept, as a person fills it in. */
import type { ChangeNode, NodeDetail } from "@contract/nodes.ts";

export interface BrandingDraft {
  name: string;
  /** Empty: none of its own. */
  color: string;
  /** A `data:` URL; empty: none. */
  logo: string;
  /** Empty: as above. */
  days: string;
}

export function draftOfBranding({
  branding,
  report_days: days,
}: Pick<NodeDetail, "branding" | "report_days">): BrandingDraft {
  const { name = "", color = "", logo = "" } = branding ?? {};
  return { name, color, logo, days: days === null ? "" : String(days) };
}

/** What differs from the node as it was read; without a word of its own it looks as what is above it. */
export function brandingChangeOf(
  draft: BrandingDraft,
  before: Pick<NodeDetail, "branding" | "report_days">,
): ChangeNode {
  const was = draftOfBranding(before);
  const now = { ...draft, name: draft.name.trim(), color: draft.color.trim(), days: draft.days.trim() };
  const isOwn = now.name !== "" || now.color !== "" || now.logo !== "";
  const branding = {
    name: now.name || undefined,
    color: now.color || undefined,
    logo: now.logo || undefined,
  };
  const isChanged = (["name", "color", "logo"] as const).some((field) => now[field] !== was[field]);
  return {
    ...(isChanged && { branding: isOwn ? branding : null }),
    // Anything but a number is sent as one that is not allowed, so that the answer names the field.
    ...(now.days !== was.days && { report_days: now.days === "" ? null : Number(now.days) || 0 }),
  };
}
