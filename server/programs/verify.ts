/** `npm run verify -- <expected.json> [--url URL] [--key KEY]` */
import { readFile } from "node:fs/promises";
import { parseJson } from "../json/parse-json.ts";
import { readCommandLine } from "./connection.ts";
import { compareWithOracle, describeComparison, type Oracle } from "./oracle.ts";
import { runProgram } from "./program.ts";
import { UsageApi } from "./usage-api.ts";

await runProgram("npm run verify -- <expected.json> [--url URL] [--key KEY]", async (args) => {
  const { operands, url, key } = readCommandLine(args, ["expected.json"]);
  const oracle = parseJson(await readFile(operands[0] as string, "utf8")) as Oracle;
  const comparison = await compareWithOracle(oracle, new UsageApi({ url, key }));
  console.log(describeComparison(comparison));
  return comparison.differences.length === 0;
});
