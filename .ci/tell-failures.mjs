/**
 * Tells which tests and checks failed and why, in at most so many characters: a record that keeps only the end of the output still says
 * what went wrong. Before its last line stand the seconds of each stage, and the slowest files.
 * Arguments: `results=FILE` for a JSON report of vitest, `check=TITLE=FILE` for a failed check and the file of its output,
 * `seconds=TITLE=SECONDS` for a stage.
 */
import { existsSync, readFileSync } from "node:fs";
import { relative } from "node:path";
import { stripVTControlCharacters } from "node:util";

/** With the seconds and the last line it stays below 2,000. */
const maxCharacters = 1_500;
const maxOfCause = 600;
const maxOfTitle = 200;
const maxListed = 20;
const slowestFiles = 5;

const linesOf = (text) =>
  stripVTControlCharacters(text)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

const isFrame = (line) => line.startsWith("at ");

/** What an error says, and the first place of the project it comes from, without the frames of the test runner. */
function toldOf(text) {
  const lines = linesOf(text);
  const place = lines.find((line) => isFrame(line) && !line.includes("node_modules") && !line.includes("node:"));
  const said = lines.filter((line) => !isFrame(line)).join("\n");
  return `${endsOf(said, maxOfCause)}${place === undefined ? "" : `\n${place.replace(`${process.cwd()}/`, "")}`}`;
}

/** Its beginning and its end, which is the newest where it is what a program printed. */
function endsOf(text, most) {
  if (text.length <= most) return text;
  const half = Math.floor((most - 3) / 2);
  return `${text.slice(0, half)}...${text.slice(-half)}`;
}

/** The error and each of its causes, as test/json-with-causes.ts writes them. */
const chainOf = (text) => text.split(/^(?=Caused by: )/m).map(toldOf);

/** The failures of a report, and the tests that passed only when they were tried again. */
function readResults(file) {
  if (!existsSync(file)) return { failures: [], retried: [], files: [] };
  const failures = [];
  const retried = [];
  const files = [];
  for (const { name, message, status, assertionResults, startTime, endTime } of JSON.parse(readFileSync(file, "utf8"))
    .testResults) {
    const path = relative(process.cwd(), name);
    files.push({ path, seconds: (endTime - startTime) / 1_000 });
    const fileFailures = [];
    for (const test of assertionResults) {
      const title = `${path} > ${[...test.ancestorTitles, test.title].filter((part) => part !== "").join(" > ")}`;
      const chain = test.failureMessages.slice(0, 1).flatMap(chainOf);
      if (test.status === "failed") fileFailures.push({ title, chain });
      else if (test.status === "passed" && chain.length > 0) retried.push({ title, chain });
    }
    if (status !== "passed" && (fileFailures.length === 0 || message !== ""))
      fileFailures.unshift({
        title: `${path} (the file, or what runs before or after its tests)`,
        chain: chainOf(message),
      });
    const skipped = assertionResults.filter((test) => test.status !== "passed" && test.status !== "failed");
    if (skipped.length > 0) fileFailures.push({ title: `${path}: ${skipped.length} not run`, chain: [] });
    failures.push(...fileFailures);
  }
  return { failures, retried, files };
}

/** What a check printed last, or the errors no test caught. */
function readCheck(title, file) {
  const lines = existsSync(file) ? linesOf(readFileSync(file, "utf8")) : [];
  const unhandled = lines.findIndex((line) => line.includes("Unhandled"));
  const last = unhandled >= 0 ? lines.slice(unhandled, unhandled + 6) : lines.slice(-6);
  return { title, chain: [endsOf(last.join("\n"), maxOfCause)] };
}

const failures = [];
const retried = [];
const files = [];
const stages = [];
for (const argument of process.argv.slice(2)) {
  const [kind, ...values] = argument.split("=");
  if (kind === "results") {
    const results = readResults(values[0]);
    failures.push(...results.failures);
    retried.push(...results.retried);
    files.push(...results.files);
  } else if (kind === "seconds") {
    stages.push(`${values[0]} ${values[1]}`);
  } else {
    failures.push(readCheck(values.slice(0, -1).join("="), values.at(-1)));
  }
}

const told = [
  ...failures.map((failure) => ({ ...failure, title: `FAILED: ${failure.title}` })),
  ...retried.map((test) => ({ ...test, title: `PASSED ONLY AT A SECOND TRY: ${test.title}` })),
];
const shown = told.slice(0, maxListed);
let left = maxCharacters;
for (const [index, { title, chain }] of shown.entries()) {
  // What one of them does not need is there for those after it.
  let own = Math.floor(left / (shown.length - index));
  const say = (text) => {
    console.log(text);
    left -= text.length + 1;
    own -= text.length + 1;
  };
  say(title.slice(0, Math.min(maxOfTitle, own)));
  for (const [place, text] of chain.entries()) {
    const share = Math.floor(own / (chain.length - place)) - 1;
    if (share > 20) say(endsOf(text.replaceAll(/^/gm, "  "), share));
  }
}
if (shown.length < told.length) console.log(`... and ${told.length - shown.length} more`);
const slowest = files.sort((a, b) => b.seconds - a.seconds).slice(0, slowestFiles);
const inWords = slowest.map(
  ({ path, seconds }) => `${path.replace(/^test\/|\.test\.ts$/g, "")} ${Math.round(seconds)}`,
);
console.log(`Seconds: ${stages.join(", ")}; slowest files: ${inWords.join(", ")}`);
