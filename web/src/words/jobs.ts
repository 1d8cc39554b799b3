/** The steps of transcription jobs in words. */
import type { JobStep } from "@contract/jobs.ts";
import { jobsTexts as t } from "../texts/en/jobs.ts";

export const jobStepTones = {
  completed: "good",
  failed: "bad",
  started: "accent",
  requested: "neutral",
} as const satisfies Record<JobStep, string>;
export const jobStepWords: Record<JobStep, string> = t.steps;
