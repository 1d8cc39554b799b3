import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { createPace } from "../../../server/fairness/pace.ts";
import { type CsvRow, readCsv } from "../../../server/tree/read-csv.ts";

async function rowsOf(text: string): Promise<CsvRow[]> {
  const rows: CsvRow[] = [];
  for await (const row of readCsv(text, createPace())) rows.push(row);
  return rows;
}

const cases: [string, string, string[][]][] = [
  [
    "plain lines, with and without a last line break",
    "a,b\nc,d",
    [
      ["a", "b"],
      ["c", "d"],
    ],
  ],
  [
    "CR LF",
    "a,b\r\nc,d\r\n",
    [
      ["a", "b"],
      ["c", "d"],
    ],
  ],
  ["quoted commas, quotes and line breaks", '"a,1","b ""x""","c\nd"\n', [["a,1", 'b "x"', "c\nd"]]],
  [
    "empty cells, at the end too",
    ",a,\n,,\n",
    [
      ["", "a", ""],
      ["", "", ""],
    ],
  ],
  ["empty lines left out, and a byte order mark", "\uFEFFa\n\n\r\nb\n", [["a"], ["b"]]],
  ["an ending comma at the end of the text", "a,", [["a", ""]]],
  ["nothing", "", []],
];

test.each(cases)("reads %s", async (_, text, expected) => {
  expect((await rowsOf(text)).map(({ cells }) => cells)).toEqual(expected);
});

test("gives the line where a row begins, also after line breaks within quotes", async () => {
  expect((await rowsOf('a\n"b\nc"\nd\n')).map(({ line }) => line)).toEqual([1, 2, 4]);
  await expect(rowsOf('a\n"b')).rejects.toThrow("line 2");
});

test.each([
  ["a row of commas", ",".repeat(4_000_000), "cells"],
  ["a cell of letters", "a".repeat(4_000_000), "characters"],
  ["a cell of quotes", '"'.repeat(4_000_000), "characters"],
])("refuses %s without end by its line, before it has read it", async (_, endless, what) => {
  let rests = 0;
  const counting = { rest: () => void rests++ };
  await expect(readCsv(`a\n${endless}`, counting).next()).resolves.toMatchObject({ value: { cells: ["a"] } });
  const rows = readCsv(`a\n${endless}`, counting);
  await rows.next();
  await expect(rows.next()).rejects.toThrow(new RegExp(`line 2: .* ${what}`));
  expect(rests).toBeLessThan(2_000);
});

test("gives others a turn between lines, empty ones too", async () => {
  let turns = 0;
  const rest = async () => {
    await nextTurn();
    turns++;
  };
  for await (const _ of readCsv("\n".repeat(100), { rest }));
  expect(turns).toBe(100);
});
