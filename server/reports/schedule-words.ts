/** What a schedule says, in plain English. */
import type { Schedule } from "../contract/schedules.ts";
import { monthNames } from "./period-in-words.ts";

const weekdayNames = {
  mon: "Monday",
  tue: "Tuesday",
  wed: "Wednesday",
  thu: "Thursday",
  fri: "Friday",
  sat: "Saturday",
  sun: "Sunday",
} as const;

type Said = Pick<Schedule, "every" | "at" | "tz" | "weekday" | "day" | "fiscal_start_month"> & {
  /** Whether a cycle's statement is waited for. */
  needsStatement: boolean;
};

/** Such as `Every Monday at 08:00 (Europe/Berlin), about the week before`. */
export function inWords({ every, at, tz, weekday, day, fiscal_start_month, needsStatement }: Said): string {
  const when = `at ${at} (${tz})`;
  switch (every) {
    case "day":
      return `Every day ${when}, for the day before`;
    case "week":
      return `Every ${weekdayNames[weekday ?? "mon"]} ${when}, for the week before, Monday to Sunday`;
    case "month":
      return `On ${dayInWords(day ?? 1)} of every month ${when}, for the month before`;
    case "quarter":
      return `On ${dayInWords(day ?? 1)} of ${quarterMonths(fiscal_start_month ?? 1)} ${when}, for the quarter before`;
    case "cycle":
      return `After every billing cycle,${needsStatement ? " once its statement has closed," : ""} ${when}, for that cycle`;
  }
}

function dayInWords(day: number): string {
  const ending = day > 10 && day < 14 ? "th" : (["th", "st", "nd", "rd"][day % 10] ?? "th");
  return day > 28 ? `the ${day}${ending} (the last day in shorter months)` : `the ${day}${ending}`;
}

function quarterMonths(fiscalStartMonth: number): string {
  const starts = [0, 3, 6, 9].map((after) => (fiscalStartMonth - 1 + after) % 12).sort((a, b) => a - b);
  const names = starts.map((month) => monthNames[month]);
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
