import { expect, test } from "vitest";
import { readCsv } from "../../../server/tree/read-csv.ts";

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

test.each(cases)("reads %s", (_, text, expected) => {
  expect(readCsv(text).map(({ cells }) => cells)).toEqual(expected);
});

test("tells the line where a row begins, also after line breaks within quotes", () => {
  expect(readCsv('a\n"b\nc"\nd\n').map(({ line }) => line)).toEqual([1, 2, 4]);
  expect(() => readCsv('a\n"b')).toThrow("line 2");
});
