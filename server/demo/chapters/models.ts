/** The speech models that there are, some of them trained for one customer, and meters that the operator made. */
import type { MeterSummary } from "../../contract/meters.ts";
import type { Model } from "../../contract/models.ts";
import type { Chapter } from "../stage.ts";

const wantedModels = [
  { model: "standard", name: "Standard", node: "all", tier: "standard", description: "Every language, at once" },
  { model: "enhanced", name: "Enhanced", node: "all", tier: "enhanced", description: "Slower, with fewer mistakes" },
  {
    model: "brightwater-legal",
    name: "Legal English and French",
    node: "reseller:brightwater",
    tier: "custom",
    description: "Trained on court records; for every customer of Brightwater",
  },
  {
    model: "cascadia-clinical",
    name: "Clinical vocabulary",
    node: "organization:cascadia-health",
    tier: "custom",
    description: "Drug names, and the abbreviations of Cascadia's wards",
  },
  {
    model: "sakura-classroom",
    name: "Classroom Japanese",
    node: "organization:sakura-learning",
    tier: "custom",
    description: "Children's voices",
  },
] as const;

const wantedMeters = [
  {
    meter: "realtime_captions",
    title: "Realtime captions",
    unit: "count",
    node: "all",
    description: "Captions that were made while people spoke.",
    events: {
      types: ["transcription.completed"],
      aggregation: "count",
      dimensions: ["language", "model", "mode"],
      filters: [{ dimension: "mode", operator: "in", values: ["realtime"] }],
    },
  },
  {
    meter: "length_per_minute",
    title: "Length per minute",
    unit: "per minute",
    node: "all",
    description: "How much text a minute of speech becomes.",
    formula: "document_length / transcribed_minutes",
  },
] as const;

export const models: Chapter = {
  title: `${wantedModels.length} speech models, ${wantedMeters.length} meters of the operator's own`,
  async tell({ api }) {
    const known = (await api.get<{ models: Model[] }>("/v1/models")).models;
    for (const one of wantedModels)
      if (!known.some(({ model, node }) => model === one.model && node === one.node))
        await api.post<Model>("/v1/models", one);
    const meters = new Set((await api.get<{ meters: MeterSummary[] }>("/v1/meters")).meters.map(({ meter }) => meter));
    for (const one of wantedMeters) if (!meters.has(one.meter)) await api.post<MeterSummary>("/v1/meters", one);
  },
};
