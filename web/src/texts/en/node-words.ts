import { area } from "../area.ts";

export const nodeWordsTexts = area("node-words", {
  subscriptions: "Subscriptions",
  kinds: {
    all: "All organizations",
    partner: "Partner",
    reseller: "Reseller",
    organization: "Organization",
    agent: "Agent",
  },
  tabs: {
    overview: "Overview",
    customers: "Customers",
    people: "People",
    sessions: "Sessions",
    features: "Features",
    documents: "Documents",
    subscription: "Subscription",
    statements: "Statements",
    alerts: "Alerts",
    reports: "Reports",
  },
});
