/** What reads lines of the log reads those that another version wrote, with columns more at their end, like its own. */
import { expect, test } from "vitest";
import { OutcomeTally, recount } from "../../../../server/ingest/accept/event-outcomes.ts";
import { eventOfLine } from "../../../../server/ingest/accept/event-row.ts";
import { LevelLines } from "../../../../server/rollups/level-events.ts";

const columns = [
  "1",
  "acme",
  "e1",
  "1",
  "0",
  "59000",
  "participant.joined",
  "",
  "",
  "",
  "u1",
  "s1",
  "daily",
  "c1",
  "",
  "0",
  "\\N",
  "{}",
  "{}",
  "participants",
  "start",
  "90000",
  "key_1",
];
const lines = [columns, [...columns, "7"], [...columns, "7", "x"]].map((one) => one.join("\t"));

test("an event that lacks a column of the first version is no line of the log", () => {
  expect(eventOfLine(columns.join("\t"))).toMatchObject({ event: { id: "e1", user: "u1" }, key: "key_1" });
  expect(() => eventOfLine(columns.slice(0, -1).join("\t"))).toThrow("all of its columns");
});

test.each(lines)("the interval and the key are read from %j", (line) => {
  const lines = new LevelLines([Buffer.from(`${line}\n`)]);
  expect([...lines.lines()].map(({ place }) => lines.eventAt(place))).toMatchObject([
    { level: "participants", aliveWithinMs: 90_000 },
  ]);
  const without = line.replace("participants\tstart\t90000", "\t\t0");
  expect([...new LevelLines([Buffer.from(`${without}\n`)]).lines()]).toEqual([]);

  const tally = new OutcomeTally();
  const owner = { organization: "acme", partner: "", reseller: "", agent: "" };
  tally.add(owner, "key_1", "accepted", "", 1, 0);
  recount(tally, line, "duplicate");
  expect(tally.list().map(({ key, outcome, events }) => [key, outcome, events])).toEqual([
    ["key_1", "accepted", 0],
    ["key_1", "duplicate", 1],
  ]);
});
