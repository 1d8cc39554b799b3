import { expect, test } from "vitest";
import { eventType } from "../../../server/catalog/catalog.ts";
import type { EventRow } from "../../../server/clickhouse/event-columns.ts";
import { amendEvent, eventOfRow } from "../../../server/corrections/amend-event.ts";
import type { GivenEvent } from "../../../server/ingest/accept/event-gate.ts";
import { identityPrefix } from "../../../server/ingest/accept/event-hash.ts";
import { eventOfLine } from "../../../server/ingest/accept/event-row.ts";
import { readEvent, renderEventRow } from "../../../server/ingest/accept/read-event.ts";
import { rowOfEvent } from "../../../server/ingest/accept/row-of-event.ts";

const receivedMs = Date.UTC(2026, 2, 5, 10);
const nowMs = Date.UTC(2026, 5, 1);
const context = {
  receivedAtMs: receivedMs,
  isPlain: false,
  eventType,
  prefixOf: identityPrefix,
  warn: () => undefined,
};
const path = { partner: "p", reseller: "r" };

function read(event: GivenEvent, source?: string) {
  const found = readEvent(0, event, { ...context, sources: source === undefined ? undefined : [source] });
  if ("code" in found) throw new Error(found.message);
  return found;
}
const stored = (event: GivenEvent, source?: string): EventRow => ({
  ...rowOfEvent(read(event, source), { ...path, receivedMs, key: "k" }),
});
function amended(row: EventRow, changes: Record<string, unknown>): EventRow {
  const after = amendEvent(row, changes, { nowMs, eventType, pathAt: () => path });
  if ("code" in after) throw new Error(after.message);
  return after;
}

const chat = { id: "e1", type: "chat.posted", organization: "acme", time: "2026-03-01T00:00:00.000Z" };
const call = {
  id: "c1",
  type: "call.completed",
  organization: "acme",
  time: "2026-03-05T09:00:00.000Z",
  seconds: "90",
  started_at: "2026-03-05T08:58:30.000Z",
};

test("an event whose time is taken away has that of its id, else that of its first receipt", () => {
  expect(amended(stored(chat), { time: null }).time_ms).toBe(receivedMs);
  const id = "019cb600-0000-7000-8000-000000000000";
  expect(amended(stored({ ...chat, id }), { time: null }).time_ms).toBe(0x019c_b600_0000);
});

test("a span that names no interval is shown as it was sent, from whatever source, and sent again as that", () => {
  for (const source of [undefined, "urn:calls"]) {
    const row = stored(call, source);
    expect(row.interval).not.toBe("");
    expect(eventOfRow(row)).toEqual(call);
    const line = renderEventRow(
      read(call, source),
      true,
      receivedMs,
      { organization: "acme", ...path, key: "k" },
      false,
    );
    expect(eventOfLine(line)).toMatchObject({ event: call, source });
    const named = { ...call, interval: "own" };
    expect(eventOfRow(stored(named, source))).toEqual(named);
  }
});

test("a span that is given its session and user is paired by them, as if it had been sent so", () => {
  const people = { session: "s", user: "u" };
  for (const source of [undefined, "urn:calls"]) {
    const after = amended(stored(call, source), people);
    expect({ ...after, body_hash: "" }).toEqual({ ...stored({ ...call, ...people }, source), body_hash: "" });
    expect(amended(after, { user: null }).interval).toBe(stored(call, source).interval);
  }
});
