import { area } from "../area.ts";

export const sharedTexts = area("shared", {
  dashboard: "Dashboard",
  thisDashboardIsNoLonger: "This dashboard is no longer shared",
  whatItWasShown: "What it was shown by has expired or was ended.",
  linkHasExpiredOrWas: "The link has expired or was ended. Ask whoever sent it for a new one.",
  theDashboard: "The dashboard",
  nothingIsShownHereYet: "Nothing is shown here yet.",
  readOnlyUntilMade: (expiresAt: string) => `Read-only, until ${expiresAt}. Made with Tidemark.`,
  figures: "The figures",
});
