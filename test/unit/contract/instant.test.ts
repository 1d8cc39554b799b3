import fc from "fast-check";
import { expect, test } from "vitest";
import { dateTimeSchema } from "../../../server/contract/date-times.ts";
import { parseInstant } from "../../../server/contract/instant.ts";
import { changeNodeSchema } from "../../../server/contract/nodes.ts";
import { createSubscriptionSchema } from "../../../server/contract/subscriptions.ts";

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

test("a setting takes the instants that an event may have, within the years that have room around them, and keeps them in UTC", () => {
  for (const [given, kept] of [
    ["2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"],
    ["2026-01-01T02:00+02:00", "2026-01-01T00:00:00.000Z"],
    ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"],
    ["1900-01-01T00:00:00Z", "1900-01-01T00:00:00.000Z"],
    ["2199-12-31T23:59:59.999Z", "2199-12-31T23:59:59.999Z"],
  ])
    expect(dateTimeSchema.parse(given)).toBe(kept);
  for (const text of [
    "2026-02-30T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T12:30:60Z",
    "2026-01-01T00:00:00",
    "2026-01-01",
    "1900-01-01T00:00:00+00:01",
    "2199-12-31T23:59:59-00:01",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z",
    "",
    "now",
  ])
    expect(dateTimeSchema.safeParse(text).success, text).toBe(false);
});

test("a subscription and a move take effect in 2000 or later: no usage is older", () => {
  const starting = (starts_at: string) =>
    createSubscriptionSchema.safeParse({ node: "organization:a", plan: "p", starts_at });
  const moving = (effective_from: string) => changeNodeSchema.safeParse({ parent: "partner:p", effective_from });
  for (const [text, isTaken] of [
    ["1999-12-31T23:59:59Z", false],
    ["1900-01-01T00:00:00Z", false],
    ["2000-01-01T00:00:00Z", true],
  ] as const) {
    expect(starting(text).success, text).toBe(isTaken);
    expect(moving(text).success, text).toBe(isTaken);
  }
});
