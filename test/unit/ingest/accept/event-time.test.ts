import { expect, test } from "vitest";
import { timeOfUuidV7 } from "../../../../server/ingest/accept/event-time.ts";

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
