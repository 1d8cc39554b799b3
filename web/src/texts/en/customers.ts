import { area } from "../area.ts";

export const customersTexts = area("customers", {
  quotaStatuses: { under: "Under", moderate: "Moderate", high: "High", over: "At or over" },
  quotaHints: {
    under: "below 50% of the limit",
    moderate: "50% to 80%",
    high: "80% to 95%",
    over: "95% or more",
  },
});
