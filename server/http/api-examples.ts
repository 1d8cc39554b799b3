/** Bodies of the first requests that people make, by operation. A test holds each against its schema. */
import { describeEvent } from "../catalog/describe-event.ts";

export const requestExamples: Readonly<Record<string, unknown>> = {
  sendEvents: describeEvent("call.completed")?.example.events,
  voidEvent: { organization: "acme", reason: "sent twice by a broken emitter" },
  createNode: { kind: "organization", id: "acme", name: "Acme Inc.", parent: "reseller:north" },
  createKey: { name: "Media server", node: "organization:acme", scopes: ["ingest"] },
  createMeter: {
    meter: "exports",
    title: "Exports",
    unit: "count",
    events: { types: ["document.exported"], aggregation: "count" },
  },
  createPlan: {
    name: "Team",
    currency: "EUR",
    fixed_fee: { organization: "49.00" },
    features: [{ key: "transcription", meter: "transcribed_minutes", included: "6000" }],
  },
  createSubscription: { node: "organization:acme", plan: "pln_…", starts_at: "2026-03-01T00:00:00Z" },
};
