import { expect, test } from "vitest";
import { combinedMessage, narrowed } from "../../../server/delivery/message-parts.ts";
import type { MessageHeading } from "../../../server/postgres/schema/delivery.ts";

const row = (title: string) => ({ title, text: "", about: "", url: "https://usage.example.com/" });
const parts = ["a", "b", "c"].map((name, index) => ({
  alerts: [`alr_${name}`],
  node: `organization:${name}`,
  isFiring: index > 0,
  row: row(name),
  lines: index < 2 ? [`${name} fires.`] : [],
}));
const frame = { url: "https://usage.example.com/alerts", button: "Open", data: null };
const without = (heading: MessageHeading, names: string[], more?: number) =>
  narrowed(
    { ...frame, ...combinedMessage(heading, parts, more), ...(more !== undefined && { more }) },
    ({ node }) => !names.some((name) => node === `organization:${name}`),
  );

test.each([
  [
    { of: "rule", opening: "Resolved: ", rule: "Minutes" },
    "Resolved: 2 alerts from the rule Minutes",
    ["b fires.", "And 1 more."],
  ],
  [{ of: "digest" }, "Your digest: 2 alerts, 2 firing now", []],
  [{ of: "waited" }, "6 alert messages that were held back", ["b fires.", "See the dashboard for the rest."]],
] as const)(
  "what a receiver may not see is left out of a message of several and not counted: %j",
  (heading, subject, lines) => {
    const left = without(heading, ["a"], heading.of === "waited" ? 4 : undefined);
    expect(left).toMatchObject({ subject, lines });
    expect(left?.parts?.map(({ node }) => node)).toEqual(["organization:b", "organization:c"]);
    expect(left?.rows?.map(({ title }) => title)).toEqual(heading.of === "digest" ? ["b", "c"] : undefined);
    expect(JSON.stringify(left)).not.toContain("a fires");
  },
);

test("one that is left reads as one, a message that is seen whole stays as it was written, and of nothing there is none", () => {
  const rule = { of: "rule", opening: "", rule: "Minutes" } as const;
  expect(without(rule, ["a", "c"])?.subject).toBe("1 alert from the rule Minutes");
  const whole = { ...frame, ...combinedMessage(rule, parts) };
  expect(narrowed(whole, () => true)).toBe(whole);
  expect(without(rule, ["a", "b", "c"])).toBeUndefined();
});

test("a message of several that the version before wrote, without the words above its parts, goes whole or not at all", () => {
  const written = { ...frame, subject: "3 alerts", lines: ["a fires.", "b fires.", "And 1 more."], parts };
  expect(narrowed(written, () => true)).toBe(written);
  expect(narrowed(written, ({ node }) => node !== "organization:c")).toBeUndefined();
});
