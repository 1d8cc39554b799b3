import { area } from "../area.ts";

export const jobsTexts = area("jobs", {
  steps: {
    completed: "completed",
    failed: "failed",
    started: "in progress",
    requested: "waiting",
  },
});
