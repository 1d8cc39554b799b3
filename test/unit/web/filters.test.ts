import fc from "fast-check";
import { expect, test } from "vitest";
import { type Filter, filterQuery, parseWhere } from "../../../server/contract/usage-question.ts";
import { formatWhere, operators, withFilter } from "../../../web/src/state/filters.ts";

const filter = fc.record({
  dimension: fc.constantFrom("room", "organization", "language"),
  operator: fc.constantFrom(...operators),
  value: fc.string({ unit: "grapheme", minLength: 1 }),
});

test("filters are written into the address and read back, whatever their values", () => {
  fc.assert(
    fc.property(fc.array(filter), (filters) => {
      expect(parseWhere(formatWhere(filters))).toEqual(filters);
    }),
  );
});

test("what is no filter in an address is left out, and the others hold", () => {
  expect(parseWhere("room:is:daily;nonsense;room:near:x;user:prefix:;user:is:;a:is:%E0%A4%A")).toEqual([
    { dimension: "room", operator: "is", value: "daily" },
    { dimension: "user", operator: "is", value: "" },
  ]);
});

test("the server is asked for the very text, commas and all, and for none of several", () => {
  const filters: Filter[] = [
    { dimension: "room", operator: "is", value: "a,b" },
    { dimension: "user", operator: "not", value: "u1" },
    { dimension: "user", operator: "not", value: "u2" },
    { dimension: "session", operator: "prefix", value: "s" },
  ];
  expect(filterQuery(filters)).toEqual({
    "filter[room][eq]": ["a,b"],
    "filter[user][not]": ["u1", "u2"],
    "filter[session][prefix]": ["s"],
  });
});

test("another value of a dimension takes the place of the one before", () => {
  const room = (value: string, operator: Filter["operator"] = "is") => ({ dimension: "room", operator, value });
  expect(withFilter([room("a"), room("b", "not")], room("c"))).toEqual([room("b", "not"), room("c")]);
  expect(withFilter([room("a", "not")], room("a", "not"))).toEqual([room("a", "not")]);
});
