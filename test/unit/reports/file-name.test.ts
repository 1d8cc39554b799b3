import { expect, test } from "vitest";
import { fileName } from "../../../server/reports/file-name.ts";

test("a file is named by the dates of its run's zone", () => {
  const [fromAt, toAt] = [new Date("2026-02-28T23:00:00Z"), new Date("2026-03-31T22:00:00Z")];
  const name = (tz: string) => fileName({ kind: "usage", fromAt, toAt, tz }, { format: "csv", section: "" } as never);
  expect(name("Europe/Berlin")).toBe("usage-2026-03-01-2026-04-01.csv");
  expect(name("UTC")).toBe("usage-2026-02-28-2026-03-31.csv");
});
