import { expect, test } from "vitest";
import { escapeColumn } from "../../../server/ingest/accept/event-row.ts";
import { type LevelEvent, LevelLines } from "../../../server/rollups/level-events.ts";

function lineOf(value: string, texts: { user: string; session: string }, level = "participants"): string {
  const { user, session } = texts;
  const before = ["1", "acme", "id", "1", "1000", "2000", "participant.joined", "", "r1", ""];
  const places = [escapeColumn(user), escapeColumn(session), "room", "i1", "", "500", value, "{}"];
  return `${[...before, ...places, '{"device":"mobile"}', level, level && "start", "90000", "key"].join("\t")}\n`;
}

function eventsOf(lines: readonly string[]): LevelEvent[] {
  const read = new LevelLines(lines.map((line) => Buffer.from(line)));
  return [...read.lines()].map(({ place, name, namesInterval }) => {
    const event = read.eventAt(place);
    const { organization, session, interval } = event;
    expect({ ...name, namesInterval }).toEqual({ organization, session, namesInterval: interval !== "" });
    return event;
  });
}

test.each(["\\N", "12.5"])(
  "texts are read as they were sent, whatever is escaped in them, with the value %s",
  (value) => {
    for (const text of ["plain", "a\tb", "\\N", "ends with \\", "\\N\t", "two\\\\lines\n", "名前"]) {
      const [event] = eventsOf([lineOf(value, { user: text, session: "s" })]);
      expect(event).toMatchObject({ user: text, session: "s", interval: "i1", startedMs: 500, aliveWithinMs: 90_000 });
      const [named] = eventsOf([lineOf(value, { user: "u", session: text })]);
      expect(named).toMatchObject({ user: "u", session: text, level: "participants", action: "start" });
    }
  },
);

test("events that say nothing about an interval are passed over", () => {
  const texts = { user: "u", session: "s" };
  const found = eventsOf([lineOf("\\N", texts, ""), lineOf("\\N", texts), lineOf("1", texts, "")]);
  expect(found.map(({ timeMs, dims }) => ({ timeMs, dims }))).toEqual([{ timeMs: 1000, dims: '{"device":"mobile"}' }]);
});

test("a line from before a column was added reads that column as its default, whatever the line before it has there", () => {
  const line = lineOf("\\N", { user: "u", session: "s" });
  const without = line.replace("\t90000\tkey\n", "\n");
  const withoutLevel = line.replace("\tparticipants\tstart\t90000\tkey\n", "\n");
  const lines = [line, without, withoutLevel, line, withoutLevel, without];
  const aliveWithin = [90_000, 0, 90_000, 0];
  expect(eventsOf(lines).map(({ aliveWithinMs }) => aliveWithinMs)).toEqual(aliveWithin);
  expect(eventsOf([lines.join("")]).map(({ aliveWithinMs }) => aliveWithinMs)).toEqual(aliveWithin);
});
