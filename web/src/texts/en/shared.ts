import { area } from "../area.ts";

export const sharedTexts = area("shared", {
  dashboard: "Dashboard",
  noLongerShared: "This dashboard is no longer shared",
  embedHasEnded: "Access to this embedded dashboard has expired or was revoked.",
  linkHasEnded: "The link has expired or was revoked. Ask the person who sent it for a new one.",
  theDashboard: "The dashboard",
  noPanelsYet: "This dashboard has no panels yet.",
  readOnlyUntilMade: (expiresAt: string) => `Read-only, until ${expiresAt}. Made with Tidemark.`,
  theData: "The data",
});
