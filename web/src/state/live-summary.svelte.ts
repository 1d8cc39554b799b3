/** Whether live figures are read out by a screen reader, now and then. */
import { StoredSwitch } from "./stored-switch.svelte.ts";

export const liveSummary = new StoredSwitch("tidemark-live-summary", true);
