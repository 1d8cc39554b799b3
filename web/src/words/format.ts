/** How figures and times are written for people. Decimal strings are formatted as they are, never through a float. */
import { percentText } from "@contract/percent-text.ts";
import type { Figure } from "@contract/usage.ts";
import { browserZone } from "../state/zone.ts";
import { timeTexts as t } from "../texts/en/time.ts";
import { language } from "../texts/locale.ts";

const locale = language.numbers;

const exact = new Intl.NumberFormat(locale, { maximumFractionDigits: 6 });
const amount = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 1 });

/** All digits the server gave; an en dash where there is no figure. */
export function formatExact(figure: Figure): string {
  return figure === null ? "–" : exact.format(figure as number | Intl.StringNumericLiteral);
}

/**
 * For tables and cards: one decimal for amounts, which come as decimal strings, so that they line up; none for counts. The
 * exact figure belongs in the title beside it.
 */
export function formatFigure(figure: Figure): string {
  if (figure === null) return "–";
  return typeof figure === "string" ? amount.format(figure as Intl.StringNumericLiteral) : exact.format(figure);
}

/** For axes and cards without room: 1.2M. */
export function formatCompact(figure: Figure): string {
  return figure === null ? "–" : compact.format(figure as number | Intl.StringNumericLiteral);
}

const languages = new Intl.DisplayNames([locale], { type: "language", fallback: "code" });

/** `German` for `de`; what is no language tag stays as it is. */
export function formatLanguage(tag: string): string {
  try {
    return languages.of(tag) ?? tag;
  } catch {
    return tag;
  }
}

/** As `percentText`; a dash where there is none. */
export function formatPercent(percent: number | string | null): string {
  return percent === null ? "–" : percentText(percent);
}

/** A share of 1 as `formatPercent`. */
export function formatShare(share: number | null): string {
  return formatPercent(share === null ? null : share * 100);
}

const lists = {
  and: new Intl.ListFormat(language.dates, { type: "conjunction" }),
  or: new Intl.ListFormat(language.dates, { type: "disjunction" }),
};

/** `a, b and c`, or with `or`. */
export function formatList(parts: readonly string[], joinedBy: keyof typeof lists = "and"): string {
  return lists[joinedBy].format(parts);
}

const currencies = new Map<string, Intl.NumberFormat>();

/** `€49.00`, `€0.0004`, `¥300`: all decimals that were given, and at least those of the currency's minor unit. */
export function formatMoney(figure: string, currency: string): string {
  const known =
    currencies.get(currency) ??
    new Intl.NumberFormat(locale, {
      style: "currency",
      currency,
      currencyDisplay: "narrowSymbol",
      maximumFractionDigits: 12,
    });
  currencies.set(currency, known);
  return known.format(figure as Intl.StringNumericLiteral);
}

/** `1 minute`, `2.5 minutes`, `3`; a count has no unit to say. */
export function withUnit(text: string, unit: string): string {
  if (unit === "count") return text;
  return `${text} ${text === "1" ? unit.replace(/s$/, "") : unit}`;
}

/** How many make a minute. */
const perMinute: Readonly<Record<string, number>> = { minutes: 1, seconds: 60 };

/** All digits with the unit, and what lasted an hour or more in hours too: `1,234.5 minutes (20 h 34 min)`. */
export function exactText(figure: Figure, unit: string): string {
  const text = withUnit(formatExact(figure), unit);
  const minutes = Math.trunc(Number(figure ?? 0) / (perMinute[unit] ?? Number.POSITIVE_INFINITY));
  const hours = Math.trunc(minutes / 60);
  return hours === 0 ? text : `${text} (${t.hours(hours)} ${t.minutes(Math.abs(minutes % 60))})`;
}

/** An age in its largest whole unit: `now`, `2 s`, `4 min`, `3 h`, `2 d`. */
export function formatAge(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 1) return t.now;
  if (seconds < 60) return t.seconds(seconds);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return t.minutes(minutes);
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? t.hours(hours) : t.days(Math.floor(hours / 24));
}

/** `2 h ago`; `just now` of what a slow clock puts ahead, too. */
export function formatAgo(sinceMs: number): string {
  return sinceMs < 1_000 ? t.justNow : t.ago(formatAge(sinceMs));
}

/** How long something has been running: `0:42`, `12:05`, `3 h 07`. */
export function formatRunning(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (value: number) => String(value).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
  const hours = Math.floor(seconds / 3600);
  return hours < 48
    ? t.hoursMinutes(hours, two(Math.floor((seconds % 3600) / 60)))
    : t.daysHours(Math.floor(hours / 24), hours % 24);
}

const clocks = new Map<string, Intl.DateTimeFormat>();

/** `12:03:11` on the clock of `tz`. */
export function formatClock(ms: number, tz: string): string {
  return formatTime(ms, tz, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

/** `21 Nov 2026, 09:00` on the clock of `tz`; `at` is an instant as the API writes it. */
export function formatMoment(at: string, tz: string): string {
  return formatTime(Date.parse(at), tz, {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
  });
}

/** The same on the clock of this browser. */
export const formatHere = (at: string): string => formatMoment(at, browserZone);

/** By how much clocks are put back somewhere. */
const hourMs = 60 * 60_000;
const putBackMs = [hourMs / 2, hourMs];

/**
 * A text with the time of day, by the 24-hour clock of `tz`. In the hour that comes twice when clocks are put back, its
 * offset says which one is meant: `02:00 UTC+2`.
 */
export function formatTime(ms: number, tz: string, options: Intl.DateTimeFormatOptions): string {
  const format = dateFormat(tz, { ...options, hourCycle: "h23" });
  const text = format.format(ms);
  const comesTwice =
    isClockChanged(ms, tz) &&
    putBackMs.some((byMs) => offsetAt(ms - byMs, tz) !== offsetAt(ms + byMs, tz)) &&
    putBackMs.some((byMs) => isSameClock(ms, ms - byMs, tz) || isSameClock(ms, ms + byMs, tz));
  return comesTwice ? `${text} ${offsetAt(ms, tz)}` : text;
}

const dayMs = 24 * 60 * 60_000;
const changedDays = new Map<string, boolean>();

/** Whether clocks are changed about the UTC day of `ms`: nowhere twice within it. A month has more minutes than can each be asked. */
function isClockChanged(ms: number, tz: string): boolean {
  const dayStartMs = Math.floor(ms / dayMs) * dayMs;
  const key = `${tz} ${dayStartMs}`;
  const isChanged =
    changedDays.get(key) ?? offsetAt(dayStartMs - 2 * hourMs, tz) !== offsetAt(dayStartMs + dayMs + 2 * hourMs, tz);
  changedDays.set(key, isChanged);
  return isChanged;
}

const isSameClock = (aMs: number, bMs: number, tz: string) => {
  const clock = dateFormat(tz, { day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  return clock.format(aMs) === clock.format(bMs);
};

/** `UTC+2`. */
function offsetAt(ms: number, tz: string): string {
  const parts = dateFormat(tz, { timeZoneName: "shortOffset" }).formatToParts(ms);
  return (parts.find(({ type }) => type === "timeZoneName")?.value ?? "").replace("GMT", "UTC");
}

export function dateFormat(tz: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${tz} ${JSON.stringify(options)}`;
  const known = clocks.get(key) ?? new Intl.DateTimeFormat(language.dates, { timeZone: tz, ...options });
  clocks.set(key, known);
  return known;
}
