import { area } from "../area.ts";

export const activityTexts = area("activity", {
  activity: "Activity",
  everyTranscription: (tz: string) => `Every transcription, most recently changed first. Times in ${tz}.`,
  theActivity: "The activity",
  organization: "Organization",
  job: "Job",
  status: "Status",
  duration: "Duration",
  changed: "Changed",
  noModelOrLanguageGiven: "no model or language given",
  minutes: (minutes: string) => `${minutes} minutes`,
  minutesShort: (minutes: string) => `${minutes} min`,
  took: (durationMs: string) => `took ${durationMs}`,
  noTranscriptionsYet: "No transcriptions yet. They appear here as soon as events with a job arrive.",
});
