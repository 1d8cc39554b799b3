/** How busy an organization is at an instant: the hour and weekday where it is, how it has grown, and what went wrong. */
import { dayMs, hourMs } from "../contract/durations.ts";
import type { DemoOrganization, Rhythm } from "./demo-accounts.ts";

export const historyDays = 90;

/** Shares of a day's meetings that start in each hour, from midnight; they need not add up to 1. */
const hours: Record<Rhythm, readonly number[]> = {
  office: [0, 0, 0, 0, 0, 0, 1, 4, 11, 16, 15, 11, 5, 10, 15, 13, 9, 4, 1, 1, 0.5, 0.3, 0, 0],
  school: [0, 0, 0, 0, 0, 0, 0, 8, 18, 18, 17, 14, 6, 14, 12, 7, 3, 2, 2, 1, 0.5, 0, 0, 0],
  clinic: [0, 0, 0, 0, 0, 0, 1, 6, 13, 14, 13, 10, 5, 9, 12, 11, 8, 5, 2, 1, 0, 0, 0, 0],
  community: [0.5, 0, 0, 0, 0, 0, 2, 4, 5, 6, 6, 5, 4, 4, 5, 6, 9, 14, 20, 21, 15, 8, 3, 1],
  around_the_clock: [7, 6, 5, 5, 5, 6, 7, 8, 10, 11, 11, 11, 10, 10, 11, 11, 11, 11, 11, 10, 10, 9, 9, 8],
};

/** From Sunday to Saturday. */
const weekdays: Record<Rhythm, readonly number[]> = {
  office: [0.05, 0.95, 1.1, 1.1, 1.05, 0.8, 0.07],
  school: [0.08, 1, 1.05, 1.05, 1, 0.85, 0.15],
  clinic: [0.12, 1.1, 1.05, 1, 1, 0.9, 0.45],
  community: [1.3, 0.8, 0.9, 0.9, 0.9, 0.8, 1.4],
  around_the_clock: [0.9, 1, 1, 1, 1, 1, 0.95],
};

interface Shown {
  hour: number;
  weekday: number;
}

/** By zone, with what was asked last: organizations of one zone are asked about one hour after another. */
const clocks = new Map<string, { clock: Intl.DateTimeFormat; atMs: number; shown: Shown }>();
const weekdayNames = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** The hour (0 to 23) and weekday (0 is Sunday) that a clock in the zone shows at the instant. */
export function localHour(timeZone: string, atMs: number): Shown {
  const known = clocks.get(timeZone);
  if (known?.atMs === atMs) return known.shown;
  const clock =
    known?.clock ?? new Intl.DateTimeFormat("en-US", { timeZone, hour: "2-digit", hourCycle: "h23", weekday: "short" });
  const parts = clock.formatToParts(atMs);
  const part = (type: string) => parts.find((candidate) => candidate.type === type)?.value ?? "";
  const shown = { hour: Number(part("hour")), weekday: weekdayNames.indexOf(part("weekday")) };
  clocks.set(timeZone, { clock, atMs, shown });
  return shown;
}

/** Something that made usage leave its usual course; days and hours are counted from the demonstration's first instant. */
export interface Incident {
  startDay: number;
  hours: number;
  /** Those it concerns; undefined: everybody. */
  concerns?: (organization: DemoOrganization) => boolean;
  /** What is left of the usual number of meetings. */
  factor: number;
  /** Whether those in meetings were thrown out when it began. */
  endsMeetings: boolean;
}

const incidents: readonly Incident[] = [
  { startDay: 27.4, hours: 5, concerns: (one) => one.reseller === "kestrel", factor: 0.04, endsMeetings: true },
  { startDay: 51.6, hours: 3, factor: 0.02, endsMeetings: true },
  { startDay: 78.35, hours: 2, concerns: (one) => one.reseller === "brightwater", factor: 0.1, endsMeetings: true },
  // A storm keeps everybody of one region at home for three days.
  { startDay: 38, hours: 72, concerns: (one) => one.timeZone.startsWith("Europe/"), factor: 1.7, endsMeetings: false },
];

/**
 * From the history's last hours on, meetings are shorter, more frequent, and nearly as frequent at weekends, and their
 * participants more restless, so that counters move while one watches them, at whatever hour that is; the number of those present
 * stays what it was.
 */
const liveMeetings = 1.7;
const liveWeekday = 0.8;
export const liveMinutes = 0.6;

/** Meetings that still run at the end of the history are of the live kind already: hardly any lasts longer than this. */
const livelyBeforeEndMs = 3 * hourMs;

/** Whether what starts at the instant may be watched while it goes on. */
export function isLive(atMs: number, firstMs: number): boolean {
  return atMs >= firstMs + historyDays * dayMs - livelyBeforeEndMs;
}

/** What part of the full size a customer base has reached, by days since the first: growth that levels off. */
export function growth(day: number): number {
  return 0.45 + 0.55 / (1 + Math.exp(-(day - 45) / 16));
}

/**
 * Meetings that start on average in the hour that begins at `atMs`.
 *
 * @param firstMs the demonstration's first instant; growth and incidents are counted from it.
 */
export function meetingsPerHour(organization: DemoOrganization, atMs: number, firstMs: number): number {
  const day = (atMs - firstMs) / dayMs;
  if (day < organization.joinedOnDay || day >= organization.leftOnDay) return 0;
  const { rhythm, timeZone, meetingsPerDay } = organization;
  const { hour, weekday } = localHour(timeZone, atMs);
  const shares = hours[rhythm];
  const share = (shares[hour] ?? 0) / shares.reduce((sum, value) => sum + value, 0);
  // A new customer takes three weeks to move in.
  const movedIn = organization.joinedOnDay === 0 ? 1 : Math.min(1, (day - organization.joinedOnDay + 1) / 21);
  const ofWeekday = weekdays[rhythm][weekday] ?? 0;
  const busy = isLive(atMs, firstMs) ? liveMeetings * Math.max(ofWeekday, liveWeekday) : ofWeekday;
  let mean = meetingsPerDay * share * busy * growth(day) * movedIn;
  for (const incident of incidentsAt(organization, atMs, firstMs)) mean *= incident.factor;
  return mean;
}

function incidentsAt(organization: DemoOrganization, atMs: number, firstMs: number): Incident[] {
  return incidents.filter(({ startDay, hours: length, concerns }) => {
    const startMs = firstMs + startDay * dayMs;
    return atMs >= startMs && atMs < startMs + length * hourMs && (concerns?.(organization) ?? true);
  });
}

/** When an incident throws the organization's participants out between the two instants; undefined when none does. */
export function thrownOutAt(
  organization: DemoOrganization,
  fromMs: number,
  toMs: number,
  firstMs: number,
): number | undefined {
  for (const { startDay, concerns, endsMeetings } of incidents) {
    const startMs = firstMs + startDay * dayMs;
    if (endsMeetings && startMs > fromMs && startMs < toMs && (concerns?.(organization) ?? true)) return startMs;
  }
  return undefined;
}
