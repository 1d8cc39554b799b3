import { area } from "../area.ts";

export const activityTexts = area("activity", {
  activity: "Activity",
  everyTranscriptionLatestChangeFirst: (tz: string) => `Every transcription, latest change first. Times in ${tz}.`,
  theActivity: "The activity",
  organization: "Organization",
  job: "Job",
  status: "Status",
  duration: "Duration",
  changed: "Changed",
  noModelOrLanguageGiven: "no model or language given",
  minutesMinutes: (minutes: string) => `${minutes} minutes`,
  minMinutes: (minutes: string) => `${minutes} min`,
  tookDurationMs: (durationMs: string) => `took ${durationMs}`,
  noTranscriptionsYetEvents: "No transcriptions yet. Events with a job appear here.",
});
