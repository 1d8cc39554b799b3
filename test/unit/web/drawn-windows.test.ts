import fc from "fast-check";
import { expect, test } from "vitest";
import { drawnWindows, placeOfWindow, windowsPerColumn } from "../../../web/src/charts/drawn-windows.ts";

const figures = fc.array(fc.option(fc.integer({ min: -5, max: 5 })), { minLength: 1, maxLength: 200 });
const perColumns = fc.integer({ min: 2, max: 30 });

const ascending = (a: number | null, b: number | null) => (a ?? 0) - (b ?? 0);

/** Windows, with their figures, of each column. */
function columnsOf(values: readonly (number | null)[], perColumn: number): (number | null)[][] {
  const count = Math.ceil(values.length / perColumn);
  return Array.from({ length: count }, (_, column) => values.slice(column * perColumn, (column + 1) * perColumn));
}

test("as many windows as a screen has pixels are each drawn", () => {
  expect(windowsPerColumn(4_000)).toBe(1);
  expect(drawnWindows([3, null, 1], 1, "extremes")).toEqual([0, 1, 2]);
  expect(placeOfWindow(2, 1)).toBe(2);
});

test("a year of minutes is drawn at no more than 4,000 places", () => {
  const windows = 525_600;
  const drawn = drawnWindows(
    Array.from({ length: windows }, () => 1),
    windowsPerColumn(windows),
    "extremes",
  );
  expect(drawn.length).toBeLessThanOrEqual(4_000);
});

test("of every column the lowest and the highest figure are drawn, in the order in which they came, and of none what it does not have", () => {
  fc.assert(
    fc.property(figures, perColumns, (values, perColumn) => {
      const drawn = drawnWindows(values, perColumn, "extremes");
      const columns = columnsOf(values, perColumn);
      expect(drawn).toHaveLength(2 * columns.length);
      for (const [column, own] of columns.entries()) {
        const [first = -1, second = -1] = drawn.slice(2 * column, 2 * column + 2);
        expect(first).toBeLessThanOrEqual(second);
        expect([first, second].map((window) => Math.floor(window / perColumn))).toEqual([column, column]);
        const known = own.filter((value) => value !== null);
        const shown = [values[first], values[second]].map((value) => value ?? null);
        if (known.length === 0) expect(shown).toEqual([null, null]);
        else expect(shown.sort()).toEqual([Math.min(...known), Math.max(...known)].sort());
      }
    }),
  );
});

test("a column of bars is as high as the highest of them, at both of its places, or at one beside the lowest below zero", () => {
  fc.assert(
    fc.property(figures, perColumns, (values, perColumn) => {
      const drawn = drawnWindows(values, perColumn, "highest");
      const expected = columnsOf(values, perColumn).map((own): (number | null)[] => {
        const known = own.filter((value) => value !== null);
        if (known.length === 0) return [null, null];
        const [lowest, highest] = [Math.min(...known), Math.max(...known)];
        return [lowest < 0 ? lowest : highest, highest];
      });
      const shown = expected.map((_, column) => drawn.slice(2 * column, 2 * column + 2));
      expect(shown.map((pair) => pair.map((window) => values[window] ?? null).sort(ascending))).toEqual(expected);
    }),
  );
});

test("a window is looked for in its own column", () => {
  fc.assert(
    fc.property(fc.nat(100_000), perColumns, (window, perColumn) => {
      expect(Math.floor(placeOfWindow(window, perColumn) / 2)).toBe(Math.floor(window / perColumn));
    }),
  );
});
