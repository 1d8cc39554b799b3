import { area } from "../area.ts";

export const modelsTexts = area("models", {
  wasCreated: (name: string) => `${name} was created.`,
  wasRemovedItsUsageStays: (name: string, model: string) => `${name} was removed. Its usage stays, under ${model}.`,
  customModels: "Custom models",
  namesForSpeechModels:
    "Names for the speech models in your events. A node shares its models with everything below it.",
  models: "The models",
  sharedWithYou: "shared with you",
  removeName: (name: string) => `Remove ${name}`,
  remove: "Remove",
  noModelsYet: "No models yet",
  untilModelHasNameUsage: "Until a model has a name, usage appears under the id that events use.",
  newModel: "New model",
  modelId: "Model id",
  idThatEventsUse: "The id that events use",
  name: "Name",
  sharedBy: "Shared by",
  availableToEverythingBelowIt: "Available to everything below it",
  tier: "Tier",
  description: "Description",
  createModel: "Create model",
});
