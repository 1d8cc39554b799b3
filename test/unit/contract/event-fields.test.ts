/** A field of events stands in several places; these are the ones where a missing one would be lost without a word. */
import { expect, expectTypeOf, test } from "vitest";
import { eventColumns, eventRowOf } from "../../../server/clickhouse/event-columns.ts";
import { correctedRecordSchema } from "../../../server/contract/corrections.ts";
import { type UsageEvent, usageEventSchema } from "../../../server/contract/events.ts";
import { recordSchema } from "../../../server/contract/records.ts";
import { eventOfRow } from "../../../server/corrections/amend-event.ts";
import type { EmittedEvent } from "../../../server/emitter/event.ts";

const fields = Object.keys(usageEventSchema.shape);

test("every field that emitters may send is shown by records and by corrections, and in the type of the emitter's package", () => {
  expect(Object.keys(recordSchema.shape)).toEqual(expect.arrayContaining(fields));
  expect(Object.keys(correctedRecordSchema.shape)).toEqual(expect.arrayContaining(fields));
  expectTypeOf<keyof EmittedEvent>().toEqualTypeOf<keyof UsageEvent>();
});

test("a correction on record from before a column was added is read with what older events have in it", () => {
  const whole = eventRowOf({ id: "e1", type: "chat.posted", organization: "acme", properties: "{}" });
  expect(Object.keys(whole).sort()).toEqual([...eventColumns].sort());
  for (const column of eventColumns.filter((name) => name !== "properties")) {
    const { [column]: _, ...kept } = whole;
    expect(() => eventOfRow(eventRowOf(kept)), column).not.toThrow();
  }
  expect(eventOfRow(eventRowOf({ id: "e1", type: "chat.posted", organization: "acme", properties: "{}" }))).toEqual({
    id: "e1",
    type: "chat.posted",
    organization: "acme",
    time: "1970-01-01T00:00:00.000Z",
  });
});
