import { describe, expect, it } from "vitest";
import { eventType } from "../../../server/catalog/catalog.ts";
import { dayMs, hourMs } from "../../../server/contract/durations.ts";
import { usageEventSchema } from "../../../server/contract/events.ts";
import { usesOfHour } from "../../../server/demo/beside-meetings.ts";
import { type DemoOrganization, demoOrganizations, demoResellers } from "../../../server/demo/demo-accounts.ts";
import { eventsOfHour, hourReachMs } from "../../../server/demo/meetings.ts";
import { localHour, meetingsPerHour } from "../../../server/demo/rhythm.ts";
import type { TimedEvent } from "../../../server/demo/timed-event.ts";
import { eventsOfYearBefore } from "../../../server/demo/year-before.ts";

const firstMs = Date.parse("2026-03-02T00:00:00Z");
const demonstration = { seed: 1, firstMs, size: 1 };
const organization = (id: string) => demoOrganizations.find((one) => one.id === id) as DemoOrganization;

function eventsOf(one: DemoOrganization, fromMs: number, hours: number, withSignsOfLife: boolean): TimedEvent[] {
  return Array.from({ length: hours }, (_, hour) =>
    eventsOfHour(one, fromMs + hour * hourMs, demonstration, withSignsOfLife),
  ).flat();
}
const besideMeetings = (one: DemoOrganization, fromMs: number, hours: number) =>
  Array.from({ length: hours }, (_, hour) => usesOfHour(one, fromMs + hour * hourMs, demonstration)).flat();
const aDay = demoOrganizations.flatMap((one) => [
  ...eventsOf(one, firstMs + 30 * dayMs, 24, true),
  ...besideMeetings(one, firstMs + 30 * dayMs, 24),
]);

describe("the events of the demonstration", () => {
  it("follow from the seed alone, so that a repeat is a duplicate", () => {
    const one = organization("fernhill-university");
    expect(eventsOf(one, firstMs + 30 * dayMs, 24, true)).toEqual(eventsOf(one, firstMs + 30 * dayMs, 24, true));
    const desk = organization("prairie-support");
    expect(besideMeetings(desk, firstMs, 24)).toEqual(besideMeetings(desk, firstMs, 24));
    expect(eventsOfYearBefore(demonstration)).toEqual(eventsOfYearBefore(demonstration));
  });

  it("are the same with and without signs of life, but for those", () => {
    const one = organization("prairie-support");
    const without = eventsOf(one, firstMs + 30 * dayMs, 12, false);
    const withThem = eventsOf(one, firstMs + 30 * dayMs, 12, true);
    expect(withThem.length).toBeGreaterThan(without.length);
    expect(withThem.filter(({ event }) => !event.type.endsWith(".alive"))).toEqual(without);
  });

  it("have ids that are unique within an organization", () => {
    const ids = aDay.map(({ event }) => `${event.organization} ${event.id}`);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("are of the contract's form and of types that the catalog knows", () => {
    const wrong = aDay.filter(({ event }) => !usageEventSchema.safeParse(event).success || !eventType(event.type));
    expect(wrong).toEqual([]);
  });

  it("end every interval that they start, not before its start", () => {
    const starts = new Map<string, number>();
    const ends = new Map<string, number>();
    for (const { event, atMs } of aDay) {
      const action = eventType(event.type)?.action;
      if (action === "start") starts.set(`${event.interval}`, atMs);
      if (action === "end" && event.interval) ends.set(event.interval, atMs);
    }
    expect([...ends.keys()].sort()).toEqual([...starts.keys()].sort());
    for (const [interval, endMs] of ends) expect(endMs).toBeGreaterThanOrEqual(starts.get(interval) as number);
  });

  it("lie within the reach of the hour that their meetings start in", () => {
    for (const one of demoOrganizations)
      for (let hour = 0; hour < 24; hour++) {
        const startMs = firstMs + 72 * dayMs + hour * hourMs;
        const times = eventsOfHour(one, startMs, demonstration, false).map(({ atMs }) => atMs);
        expect(Math.min(startMs, ...times)).toBe(startMs);
        expect(Math.max(startMs, ...times)).toBeLessThan(startMs + hourReachMs);
      }
  });
});

describe("the rhythm of an organization", () => {
  it("is that of its own time zone, over clock changes too", () => {
    expect(localHour("America/New_York", Date.parse("2026-03-08T06:30:00Z"))).toEqual({ hour: 1, weekday: 0 });
    expect(localHour("America/New_York", Date.parse("2026-03-08T07:30:00Z"))).toEqual({ hour: 3, weekday: 0 });
    expect(localHour("Asia/Tokyo", Date.parse("2026-03-07T15:00:00Z"))).toEqual({ hour: 0, weekday: 0 });
  });

  it("is busy on a working morning, quiet at night and at the weekend", () => {
    const office = organization("harbor-and-finch");
    const at = (time: string) => meetingsPerHour(office, Date.parse(time), firstMs);
    const morning = at("2026-03-17T14:00:00Z");
    expect(morning).toBeGreaterThan(20 * at("2026-03-17T06:00:00Z"));
    expect(morning).toBeGreaterThan(10 * at("2026-03-15T14:00:00Z"));
  });

  it("grows over the history, starts with the customer, and nearly stops in an outage", () => {
    const office = organization("harbor-and-finch");
    const mondays = [7, 28, 49, 70].map((day) => meetingsPerHour(office, firstMs + day * dayMs + 15 * hourMs, firstMs));
    expect(mondays).toEqual([...mondays].sort((a, b) => a - b));
    const late = demoOrganizations.filter((one) => one.joinedOnDay > 0);
    for (const one of demoOrganizations.filter(({ leftOnDay }) => leftOnDay < Number.POSITIVE_INFINITY))
      expect(eventsOf(one, firstMs + one.leftOnDay * dayMs, 24, false)).toEqual([]);
    expect(late.length).toBeGreaterThan(2);
    for (const one of late)
      for (let day = 0; day < one.joinedOnDay; day++)
        expect(eventsOf(one, firstMs + day * dayMs, 24, false)).toEqual([]);
    const outageMs = firstMs + 51.6 * dayMs + hourMs;
    const usualMs = outageMs + 7 * dayMs;
    expect(meetingsPerHour(office, outageMs, firstMs)).toBeLessThan(0.1 * meetingsPerHour(office, usualMs, firstMs));
  });

  it("is that of some forty organizations of different sizes below three resellers", () => {
    expect(demoResellers).toHaveLength(3);
    expect(new Set(demoOrganizations.map(({ id }) => id)).size).toBe(42);
    const sizes = demoOrganizations.map((one) => one.meetingsPerDay);
    expect(Math.max(...sizes)).toBeGreaterThan(5 * Math.min(...sizes));
  });
});
