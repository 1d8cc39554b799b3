import { area } from "../area.ts";

export const rangesTexts = area("ranges", {
  presets: {
    today: "Today",
    yesterday: "Yesterday",
    "24h": "Last 24 hours",
    "7d": "Last 7 days",
    "28d": "Last 28 days",
    "30d": "Last 30 days",
    "90d": "Last 90 days",
    month: "This month",
    "last-month": "Last month",
    year: "This year",
    "12m": "Last 12 months",
  },
});
