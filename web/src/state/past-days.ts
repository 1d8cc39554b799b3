/** How far back a list goes, as the address says it: `days=7`. */
import { dayMs } from "@contract/durations.ts";
import { queryValue } from "../router.ts";

const offered = ["", "1", "7", "30", "90"];

/** With a label for any time, for the last 24 hours, and for the last 7, 30 and 90 days. */
export const pastDays = (labels: readonly string[]) =>
  offered.map((value, place) => ({ value, label: labels[place] ?? value }));

/** Empty where the address says none that is offered; reactive. */
export const askedDays = (): string => offered.find((days) => days === queryValue("days")) ?? "";

/** The instant this many days ago, RFC 3339; undefined without a number. */
export const daysAgo = (days: string): string | undefined =>
  days === "" ? undefined : new Date(Date.now() - Number(days) * dayMs).toISOString();
