/** What reads lines of the log reads those that were written before a column was added like those after. */
import { expect, test, vi } from "vitest";

vi.mock(import("../../../../server/clickhouse/event-columns.ts"), async (original) => {
  const actual = await original();
  return { ...actual, eventColumns: [...actual.eventColumns, "added" as "key", "added_later" as "key"] };
});

const { eventOfLine, lineColumns } = await import("../../../../server/ingest/accept/event-row.ts");
const { OutcomeTally, recount } = await import("../../../../server/ingest/accept/event-outcomes.ts");
const { levelEvents } = await import("../../../../server/rollups/level-events.ts");

const columns = [
  ...["1", "acme", "e1", "1", "0", "59000", "participant.joined", "", "", "", "u1", "s1", "daily", "c1", ""],
  ...["0", "\\N", "{}", "{}", "participants", "start", "90000", "key_1"],
];
const lines = [columns, [...columns, "7"], [...columns, "7", "x"]].map((one) => one.join("\t"));

test("a line ends where the columns of its time do, and no later", () => {
  expect(lineColumns).toHaveLength(columns.length + 2);
  const short = columns.slice(0, -1).join("\t");
  for (const wrong of [short, `${lines.at(-1)}\tmore`]) expect(() => eventOfLine(wrong)).toThrow("all of its columns");
});

test.each(lines)("the event, its interval and its key are read from %j", (line) => {
  const event = { id: "e1", organization: "acme", user: "u1", interval: "c1" };
  expect(eventOfLine(line)).toMatchObject({ event, key: "key_1", receivedAtMs: 59_000 });
  expect([...levelEvents([Buffer.from(`${line}\n`)])]).toMatchObject([
    { level: "participants", aliveWithinMs: 90_000 },
  ]);
  const without = line.replace("participants\tstart\t90000", "\t\t0");
  expect([...levelEvents([Buffer.from(`${without}\n`)])]).toEqual([]);

  const tally = new OutcomeTally();
  const owner = { organization: "acme", partner: "", reseller: "", agent: "" };
  tally.add(owner, "key_1", "accepted", "", 1, 0);
  recount(tally, line, "duplicate");
  expect(tally.list().map(({ key, outcome, events }) => [key, outcome, events])).toEqual([
    ["key_1", "accepted", 0],
    ["key_1", "duplicate", 1],
  ]);
});
