import fc from "fast-check";
import { expect, test } from "vitest";
import { parseInstant, timeOfUuidV7 } from "../../../../server/ingest/accept/event-time.ts";

test("every instant is read as JavaScript's own calendar reads it, in any offset", () => {
  fc.assert(
    fc.property(
      fc.date({ noInvalidDate: true, min: new Date("0001-01-02T00:00:00Z"), max: new Date("9998-01-01T00:00:00Z") }),
      fc.integer({ min: -1439, max: 1439 }),
      (date, offset) => {
        expect(parseInstant(date.toISOString())).toBe(date.getTime());
        const local = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, -1);
        const two = (number: number) => String(number).padStart(2, "0");
        const zone = `${offset < 0 ? "-" : "+"}${two(Math.trunc(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
        if (!/^[+-]/.test(local)) expect(parseInstant(`${local}${zone}`)).toBe(date.getTime());
      },
    ),
  );
});

test.each([
  ["2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"],
  ["2026-01-01T00:00:00.9999999Z", "2026-01-01T00:00:00.999Z"],
  ["2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.500Z"],
  [`2026-01-01T00:00:00.25${"0".repeat(300)}9Z`, "2026-01-01T00:00:00.250Z"],
  ["2026-01-01t00:00:00.1234567890123z", "2026-01-01T00:00:00.123Z"],
  ["2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"],
  ["2016-12-31T18:59:60.25-05:00", "2017-01-01T00:00:00.250Z"],
  ["2026-01-01 01:30:00+01:30", "2026-01-01T00:00:00.000Z"],
])("%s is %s", (text, expected) => {
  expect(new Date(parseInstant(text)).toISOString()).toBe(expected);
});

test.each([
  "2026-02-29T00:00:00Z",
  "2026-02-30T00:00:00Z",
  "2026-04-31T00:00:00Z",
  "2100-02-29T00:00:00Z",
  "2026-01-01T12:30:60Z",
])("%s is in no calendar", (text) => {
  expect(parseInstant(text)).toBeNaN();
});

test("a version 7 UUID carries its time, and nothing else is taken for one", () => {
  const time = Date.UTC(2026, 10, 21, 9, 0, 0, 250);
  const hex = time.toString(16).padStart(12, "0");
  expect(timeOfUuidV7(`${hex.slice(0, 8)}-${hex.slice(8)}-7abc-8def-0123456789ab`)).toBe(time);
  expect(timeOfUuidV7(`${hex.slice(0, 8)}-${hex.slice(8)}-7abc-8def-0123456789ab`.toUpperCase())).toBe(time);
  for (const id of [
    "0192d5a0-7c00-4abc-8def-0123456789ab",
    "0192d5a0-7c00-7abc-cdef-0123456789ab",
    "e1",
    "x".repeat(36),
  ]) {
    expect(timeOfUuidV7(id)).toBeNaN();
  }
});
