/** Weekdays and months as the language calls them. */
import { dayMs } from "@contract/durations.ts";
import type { Weekday } from "@contract/schedules.ts";
import { dateFormat } from "./format.ts";

export const weekdays: readonly Weekday[] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

const aMonday = Date.UTC(2024, 0, 1);

/** `Mon` or `Monday`. */
export function weekdayName(weekday: Weekday, length: "short" | "long"): string {
  return dateFormat("UTC", { weekday: length }).format(aMonday + weekdays.indexOf(weekday) * dayMs);
}

/** `January` and the other eleven. */
export const monthNames = (): string[] =>
  Array.from({ length: 12 }, (_, month) => dateFormat("UTC", { month: "long" }).format(Date.UTC(2024, month, 1)));
