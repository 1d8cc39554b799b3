/** A period as people say it. Pure. */
import { dateAt } from "../metrics/zone-dates.ts";

export const monthNames = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

/** Such as `1 March 2026 to 31 March 2026`, by the dates of `tz`: `toMs` is exclusive. */
export function periodInWords(fromMs: number, toMs: number, tz: string): string {
  const [first, last] = [fromMs, toMs - 1].map((ms) => {
    const { year, month, day } = dateAt(ms, tz);
    return `${day} ${monthNames[month - 1]} ${year}`;
  });
  return first === last ? `${first}` : `${first} to ${last}`;
}
