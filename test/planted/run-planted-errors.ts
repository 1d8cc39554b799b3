/**
 * Plants one error in each rule, in a copy of the project, and runs the tests that guard the rule: every one must turn red.
 * `npm run test:planted [text]` runs those whose rule contains the text.
 */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { plantedErrors } from "./planted-errors.ts";
import { copyWithErrors } from "./project-copy.ts";

/** One red test is all that is asked, and says no more by being tried again. */
const untilOneIsRed = ["--bail", "1", "--retry", "0"];
const wanted = process.argv[2] ?? "";
let green = 0;
const chosen = plantedErrors.filter(({ rule }) => rule.includes(wanted));
for (const { rule, file, right, wrong, tests } of chosen) {
  const copy = copyWithErrors([{ file, right, wrong }]);
  const { status } = spawnSync(
    "npx",
    ["vitest", "run", "--config", "test/vitest.config.ts", "--reporter", "dot", ...untilOneIsRed, ...tests.split(" ")],
    {
      cwd: copy,
      env: { ...process.env, PLANTED_ERROR: rule, PROPERTY_RUNS: process.env.PROPERTY_RUNS ?? "300" },
      stdio: "ignore",
    },
  );
  const isRed = status !== 0;
  if (!isRed) green++;
  console.log(`${isRed ? "red  " : "GREEN"}  ${rule}`);
  rmSync(copy, { recursive: true, force: true });
}
console.log(green === 0 ? "every planted error turned a test red" : `${green} planted errors went unnoticed`);
process.exitCode = green === 0 ? 0 : 1;
