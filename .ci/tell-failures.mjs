/**
 * Tells which tests and checks failed, in at most 20 lines: a record that keeps only the end of the output still says what went wrong.
 * Arguments: `results=FILE` for a JSON report of vitest, `check=TITLE=FILE` for a failed check and the file of its output.
 */
import { existsSync, readFileSync } from "node:fs";
import { relative } from "node:path";
import { stripVTControlCharacters } from "node:util";

const mostLines = 20;
const mostColumns = 300;

const linesOf = (text) =>
  stripVTControlCharacters(text)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

/** What an error says and the first place of the project it comes from, without the frames of the test runner. */
function messageLines(text) {
  const lines = linesOf(text);
  const isFrame = (line) => line.startsWith("at ");
  const place = lines.find((line) => isFrame(line) && !line.includes("node_modules") && !line.includes("node:"));
  const said = lines.filter((line) => !isFrame(line)).slice(0, 4);
  return place === undefined ? said : [...said.slice(0, 3), place];
}

/** The failures of a report, and the tests that passed only when they were tried again. */
function readResults(file) {
  if (!existsSync(file)) return { failures: [], retried: [] };
  const failures = [];
  const retried = [];
  for (const { name, message, status, assertionResults } of JSON.parse(readFileSync(file, "utf8")).testResults) {
    const path = relative(process.cwd(), name);
    const fileFailures = [];
    for (const test of assertionResults) {
      const title = `${path} > ${[...test.ancestorTitles, test.title].filter((part) => part !== "").join(" > ")}`;
      const said = messageLines(test.failureMessages[0] ?? "");
      if (test.status === "failed") fileFailures.push({ title, lines: said });
      else if (test.status === "passed" && said.length > 0) retried.push({ title, lines: said });
    }
    if (status !== "passed" && (fileFailures.length === 0 || message !== ""))
      fileFailures.unshift({
        title: `${path} (the file, or what runs before or after its tests)`,
        lines: messageLines(message),
      });
    const skipped = assertionResults.filter((test) => test.status !== "passed" && test.status !== "failed");
    if (skipped.length > 0) fileFailures.push({ title: `${path}: ${skipped.length} not run`, lines: [] });
    failures.push(...fileFailures);
  }
  return { failures, retried };
}

/** What a check printed last, or the errors no test caught. */
function readCheck(title, file) {
  const lines = existsSync(file) ? linesOf(readFileSync(file, "utf8")) : [];
  const unhandled = lines.findIndex((line) => line.includes("Unhandled"));
  return { title, lines: unhandled >= 0 ? lines.slice(unhandled, unhandled + 6) : lines.slice(-6) };
}

const failures = [];
const retried = [];
for (const argument of process.argv.slice(2)) {
  const [kind, ...values] = argument.split("=");
  if (kind === "results") {
    const results = readResults(values[0]);
    failures.push(...results.failures);
    retried.push(...results.retried);
  } else {
    failures.push(readCheck(values.slice(0, -1).join("="), values.at(-1)));
  }
}

const told = [
  ...failures.map((failure) => ({ ...failure, title: `FAILED: ${failure.title}` })),
  ...retried.map((test) => ({ ...test, title: `PASSED ONLY AT A SECOND TRY: ${test.title}` })),
];
const shown = told.length > mostLines ? told.slice(0, mostLines - 1) : told;
const perFailure = Math.floor((mostLines - shown.length) / Math.max(1, shown.length));
for (const { title, lines } of shown)
  for (const line of [title, ...lines.slice(0, perFailure).map((text) => `    ${text}`)])
    console.log(line.slice(0, mostColumns));
if (shown.length < told.length) console.log(`... and ${told.length - shown.length} more`);
