import { expect, test } from "vitest";
import type { PriceLevel } from "../../../server/contract/plans.ts";
import type { StatementDetail } from "../../../server/contract/statements.ts";
import { financialSections } from "../../../server/reports/build/money.ts";

interface Charged {
  level: PriceLevel;
  payer: string;
  total: string;
  margin: string | null;
}

function sellersOf(...charges: Charged[][]): unknown[] {
  const statements = charges.map((some, index) => ({
    id: `stm_${index}`,
    kind: "subscription",
    node: some[0]?.payer,
    currency: "EUR",
    charges: some.map((one) => ({ ...one, lines: [] })),
  })) as unknown as StatementDetail[];
  const sections = financialSections({ statements, running: null, nameOf: (node) => node, isWithin: () => true });
  const [sellers] = sections;
  const places = ["node", "statements", "cost", "price", "margin"].map((key) =>
    sellers?.columns.findIndex((one) => one.key === key),
  );
  return sellers?.rows.map((row) => places.map((place) => row[place ?? -1])) ?? [];
}

const own: Charged = { level: "reseller", payer: "reseller:r", total: "30.00", margin: null };
const sold: Charged[] = [
  { level: "organization", payer: "organization:o", total: "61.10", margin: null },
  { level: "reseller", payer: "reseller:r", total: "30.00", margin: "31.10" },
];

test("a price that is not known is none, and not the cost", () => {
  expect(sellersOf([own])).toEqual([["reseller:r", 1, "30.00", null, null]]);
});

test("of prices of which some are not known the others are added up", () => {
  expect(sellersOf([own], sold, sold)).toEqual([["reseller:r", 3, "90.00", "122.20", "62.20"]]);
});
