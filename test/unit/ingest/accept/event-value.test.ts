import fc from "fast-check";
import { expect, test } from "vitest";
import {
  propertiesOf,
  readPropertyNumber,
  readValue,
  storedNumber,
} from "../../../../server/ingest/accept/event-value.ts";
import { ExactNumber, parseExactJson, stringifyExact } from "../../../../server/json/exact-json.ts";

const exact = (text: string) => parseExactJson(Buffer.from(text)) as number | ExactNumber;

test.each([
  ["12.50", "12.5"],
  [-0, "0"],
  [1e-7, "0.0000001"],
  ["999999999999999999.999999999", "999999999999999999.999999999"],
  [exact("999999999999999999.999999999"), "999999999999999999.999999999"],
  [exact("100000000.000000001"), "100000000.000000001"],
  [2 ** 53, "9007199254740992"],
])("the value %s is kept as %s", (value, text) => {
  expect(readValue(value)).toEqual({ text, isRounded: false });
});

test.each(["1000000000000000000", 1e18, exact("999999999999999999.9999999999")])(
  "the value %s is refused: a hundred billion of the like must fit into a sum",
  (value) => {
    expect(readValue(value)).toBeUndefined();
  },
);

test("every JSON number comes to the same amount as the same text", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^-?(0|[1-9]\d{0,16})(\.\d{1,14})?$/), (text) => {
      expect(readValue(exact(text))).toEqual(readValue(text));
    }),
    { numRuns: 3_000 },
  );
});

test("a stored number is read back to the last digit, and is one text for each number", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^-?(0|[1-9]\d{0,28})(\.\d{1,9})?$/), (text) => {
      const decimal = readPropertyNumber(exact(text))?.text ?? "";
      const stored = `{"a":${storedNumber(decimal)}}`;
      expect(stringifyExact(propertiesOf(stored))).toBe(`{"a":${decimal}}`);
      expect(storedNumber(readPropertyNumber(new ExactNumber(`${text}e0`))?.text ?? "")).toBe(storedNumber(decimal));
    }),
    { numRuns: 3_000 },
  );
});
