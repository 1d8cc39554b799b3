import { area } from "../area.ts";

export const modelsTexts = area("models", {
  wasCreated: (name: string) => `${name} was created.`,
  wasDeletedUsageStays: (name: string, model: string) => `${name} was deleted. Its usage is kept, under ${model}.`,
  customModels: "Custom models",
  namesForSpeechModels:
    "Names for the speech models in your events. A node shares its models with everything below it.",
  theModels: "The models",
  sharedWithYou: "shared with you",
  deleteName: (name: string) => `Delete ${name}`,
  delete: "Delete",
  noModelsYet: "No models yet",
  usageAppearsUnderId: "Until a model has a name, its usage appears under the ID used in events.",
  newModel: "New model",
  modelId: "Model ID",
  idThatEventsUse: "The ID used in events",
  name: "Name",
  sharedBy: "Shared by",
  availableToEverythingBelowIt: "Available to everything below it",
  tier: "Tier",
  description: "Description",
  createModel: "Create model",
});
