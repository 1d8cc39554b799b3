import { area } from "../area.ts";

export const explainTexts = area("explain", {
  howIsThisCounted: "How is this counted?",
  theExplanation: "The explanation",
  rule: "Rule",
  figure: "Value",
  forNodeAndRange: (node: string, from: string, to: string, tz: string) => `for ${node}, ${from} – ${to}, ${tz}`,
  dataAsOf: "Data as of",
  eventTypes: "Event types",
  calculatedFromMeters: "Calculated from other meters",
  corrections: "Corrections",
  noneInThisPeriod: "None in this period",
  andEarlierOnes: (count: string) => `and ${count} earlier`,
  noEventsBehindThisFigure: "No events behind this value",
  eventBehindIt: "The event behind it",
  newestOfEventsBehindIt: (count: string) => `The newest of the ${count} events behind it`,
  fullApiResponse: "Full API response",
  viewInReference: "View in the reference",
  howIsCounted: (title: string) => `How is “${title}” counted?`,
  eventWasVoided: (by: string) => `${by} voided an event on <at></at>`,
  eventWasAmended: (by: string) => `${by} amended an event on <at></at>`,
});
