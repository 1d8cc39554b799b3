import { expect, test } from "vitest";
import { createSubscriptionSchema } from "../../../server/contract/subscriptions.ts";
import { usageQuerySchema } from "../../../server/contract/usage.ts";
import { isTimeZone, timeZoneNames } from "../../../server/contract/zone-names.ts";

test("zones and links of the database are zones, in its spelling alone", () => {
  const zones = ["UTC", "Etc/UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Calcutta", "America/Argentina/Ushuaia", "GB"];
  expect(zones.filter((name) => !isTimeZone(name))).toEqual([]);
  const others = ["utc", "europe/berlin", "Europe/berlin", "+05:00", "Mars/Olympus", "", " UTC", "../etc", "Factory"];
  expect(others.filter(isTimeZone)).toEqual([]);
});

test("a zone that ICU alone knows is refused", () => {
  const abbreviations =
    "ACT AET AGT ART AST BET BST CAT CNT CST CTT EAT ECT IET IST JST MIT NET NST PLT PNT PRT PST SST VST".split(" ");
  const invented = ["SystemV/AST4ADT", "US/Pacific-New", "Etc/GMT+15", "GMT+5"];
  for (const name of [...abbreviations, ...invented]) expect(isTimeZone(name), name).toBe(false);
  expect(usageQuerySchema.safeParse({ meter: "emails", tz: "BST" }).error?.issues[0]).toMatchObject({
    path: ["tz"],
    message: '"BST" is not the name of an IANA time zone',
  });
  expect(createSubscriptionSchema.safeParse({ node: "organization:a", plan: "p", tz: "AST" }).success).toBe(false);
});

test("every name is known to this runtime, and every canonical one of this runtime has its place", () => {
  expect(timeZoneNames.filter((name) => !isTimeZone(name))).toEqual([]);
  expect(Intl.supportedValuesOf("timeZone").filter((name) => !isTimeZone(name))).toEqual([]);
});
