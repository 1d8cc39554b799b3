import fc from "fast-check";
import { expect, test } from "vitest";
import { propertiesOf, readNumber, storedNumber } from "../../../../server/ingest/accept/event-value.ts";
import { ExactNumber, parseExactJson, stringifyExact } from "../../../../server/json/exact-json.ts";

const largest = `${"9".repeat(29)}.999999999`;
const exact = (text: string) => parseExactJson(Buffer.from(text)) as number | ExactNumber;

test.each([
  ["12.50", "12.5"],
  [-0, "0"],
  [1e-7, "0.0000001"],
  [largest, largest],
  [exact(`-${largest}`), `-${largest}`],
  [exact("100000000.000000001"), "100000000.000000001"],
  [2 ** 53, "9007199254740992"],
])("the value %s is kept as %s", (value, text) => {
  expect(readNumber(value)).toEqual({ text, isRounded: false });
});

test.each([`1${"0".repeat(29)}`, 1e29, exact(`${largest}9`)])(
  "the value %s is refused: Decimal(38, 9) does not hold it",
  (value) => {
    expect(readNumber(value)).toBeUndefined();
  },
);

test("every JSON number comes to the same amount as the same text", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^-?(0|[1-9]\d{0,27})(\.\d{1,14})?$/), (text) => {
      expect(readNumber(exact(text))).toEqual(readNumber(text));
    }),
    { numRuns: 3_000 },
  );
});

test("a stored number is read back to the last digit, and is one text for each number", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^-?(0|[1-9]\d{0,28})(\.\d{1,9})?$/), (text) => {
      const decimal = readNumber(exact(text))?.text ?? "";
      const stored = `{"a":${storedNumber(decimal)}}`;
      expect(stringifyExact(propertiesOf(stored))).toBe(`{"a":${decimal}}`);
      expect(storedNumber(readNumber(new ExactNumber(`${text}e0`))?.text ?? "")).toBe(storedNumber(decimal));
    }),
    { numRuns: 3_000 },
  );
});
