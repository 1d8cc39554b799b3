import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { plantedErrors } from "../planted/planted-errors.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Those of a vitest command that name files. */
const filesOf = (tests: string) => tests.split(" ").filter((word) => word.startsWith("test/"));

test("each planted error finds the place of its rule in the code, and the tests that guard it", () => {
  const lost = plantedErrors.filter(({ file, right, tests }) => {
    const code = existsSync(root + file) ? readFileSync(root + file, "utf8") : "";
    return !code.includes(right) || filesOf(tests).some((one) => !existsSync(root + one));
  });
  expect(lost.map(({ rule }) => rule)).toEqual([]);
});
