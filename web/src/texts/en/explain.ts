import { area } from "../area.ts";

export const explainTexts = area("explain", {
  howIsThisCounted: "How is this counted?",
  explanation: "The explanation",
  rule: "The rule",
  figure: "The figure",
  ofTz: (node: string, from: string, to: string, tz: string) => `of ${node}, ${from} – ${to}, ${tz}`,
  knownUpTo: "Known up to",
  eventTypes: "Event types",
  madeOfOtherMeters: "Made of other meters",
  corrections: "Corrections",
  noneInThisPeriod: "None in this period",
  andBeforeThem: (count: string) => `and ${count} before them`,
  noEventsBehindThisFigure: "No events behind this figure",
  eventBehindIt: "The event behind it",
  newestOfEventsBehindIt: (count: string) => `The newest of ${count} events behind it`,
  fullAnswerOfApi: "Full answer of the API",
  inReference: "In the reference",
  howIsCounted: (title: string) => `How is “${title}” counted?`,
  eventWasVoided: (by: string) => `An event was voided by ${by} on <at></at>`,
  eventWasAmended: (by: string) => `An event was amended by ${by} on <at></at>`,
});
