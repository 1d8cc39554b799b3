/** How amounts, instants and durations are written in what alerts say. The exact figures stand beside, in the alert's fields. Pure. */
import { LRUCache } from "lru-cache";

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
/** A figure that two decimals would show as zero is shown by its leading digits. */
const small = new Intl.NumberFormat("en", { maximumSignificantDigits: 2, maximumFractionDigits: 9 });

/** A decimal string or number in thousands, with two decimals at most: `14,712.31`. */
export function numberText(figure: string | number): string {
  const value = figure as number | Intl.StringNumericLiteral;
  const size = Math.abs(Number(figure));
  return (size > 0 && size < 0.01 ? small : grouped).format(value);
}

/** `14,712.31 minutes`, `1 minute`, `450`: a count has no unit to say. */
export function amountText(figure: string | number, unit: string): string {
  const number = numberText(figure);
  if (unit === "count") return number;
  return `${number} ${number === "1" ? unit.replace(/s$/, "") : unit}`;
}

/** A sweep writes thousands of texts, and a formatter takes ten times as long to make as to use. */
const clocks = new LRUCache<string, Intl.DateTimeFormat>({
  max: 100,
  memoMethod: (tz) =>
    new Intl.DateTimeFormat("en-GB", {
      timeZone: tz,
      hourCycle: "h23",
      day: "numeric",
      month: "short",
      year: "numeric",
      hour: "2-digit",
      minute: "2-digit",
    }),
});

/** `29 Nov 2026, 14:15 UTC`: an instant on the clock of `tz`, which is named. `ms`: since 1970, UTC. */
export function momentText(ms: number, tz: string): string {
  return `${clocks.memo(tz).format(ms)} ${tz}`;
}

/** `29 Nov 2026`: the day of an instant in `tz`. `ms`: since 1970, UTC. */
export function dayText(ms: number, tz: string): string {
  return new Intl.DateTimeFormat("en-GB", { timeZone: tz, dateStyle: "medium" }).format(ms);
}

/** In its two largest units, rounded down: `2 d 3 h`, `1 h 15 min`, `4 min`, `less than 1 min`. `ms`: no less than 0. */
export function durationText(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return "less than 1 min";
  const [days, hours] = [Math.floor(minutes / 1_440), Math.floor((minutes % 1_440) / 60)];
  if (days > 0) return `${days} d ${hours} h`;
  return hours > 0 ? `${hours} h ${minutes % 60} min` : `${minutes} min`;
}
