/**
 * Plants one error in each rule, in a copy of the project, and runs the tests that guard the rule: every one must turn red.
 * `npm run test:planted [text]` runs those whose rule contains the text.
 */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { ingestErrors } from "./ingest-errors.ts";
import { copyWithErrors, type PlantedError } from "./project-copy.ts";

const unit = "--project unit test/unit/metrics";
const questions = "--project integration test/integration/metrics/questions.test.ts";
const levels = "--project integration test/integration/metrics/levels.test.ts";
const moves = "--project integration test/integration/metrics/moves.test.ts";

const running = "--project unit test/unit/rollups/running-session.test.ts";
const held = "--project integration test/integration/rollups/running-sessions.test.ts";
const split = "--project integration test/integration/rollups/split-intervals.test.ts";
const live = "--project unit test/unit/live/live-levels.test.ts";
const liveLives = "--project integration test/integration/live-levels.test.ts";

const errors: PlantedError[] = [
  {
    rule: "what lies ahead is live from its instant on",
    file: "server/live/live-levels.ts",
    right: "if (atMs <= this.#clockMs) this.#raise(part, level, delta);",
    wrong: "if (atMs > 0) this.#raise(part, level, delta);",
    tests: `${live} ${liveLives}`,
  },
  {
    rule: "what stands elsewhere now is live there and not at the former place",
    file: "server/live/live-levels.ts",
    right: "this.#raiseNode(node, level, -value);",
    wrong: "this.#raiseNode(node, level, 0);",
    tests: `${live} ${liveLives}`,
  },
  {
    rule: "live levels that were reported and not written are read again",
    file: "server/live/followed-levels.ts",
    right: "  onInvalidated(): void {\n    this.#levels = undefined;\n",
    wrong: "  onInvalidated(): void {\n",
    tests: liveLives,
  },
  {
    rule: "live levels that are read at the start have what lies ahead",
    file: "server/live/load-live-levels.ts",
    right: "edges: [...behind, ...ahead],",
    wrong: "edges: behind,",
    tests: liveLives,
  },
  {
    rule: "every event of a session that memory holds folds into it",
    file: "server/rollups/fold-events.ts",
    right: "    running.fold(event);\n",
    wrong: '    if (event.action !== "alive") running.fold(event);\n',
    tests: held,
  },
  {
    rule: "a session that memory lets go with events folded into it is read from storage",
    file: "server/rollups/derive-levels.ts",
    right: "if (!folded || !path) uncached.set(",
    wrong: "if (folded && !path) continue;\n      if (!folded || !path) uncached.set(",
    tests: held,
  },
  {
    rule: "what worked on meanwhile is not written where what was derived before it could not be",
    file: "server/rollups/derivation-turns.ts",
    right: "        this.#expectNoneSince(failures);\n        await write();",
    wrong: "        await write();",
    tests: "--project unit test/unit/rollups/derivation-turns.test.ts",
  },
  {
    rule: "a session that memory does not hold is read when storage has what was derived before",
    file: "server/rollups/derive-levels.ts",
    right: "      const batches = await allThere();\n      const split",
    wrong: "      const batches = await stored;\n      const split",
    tests: "--project integration test/integration/rollups/overlapping-derivations.test.ts",
  },
  {
    rule: "nothing is written of a batch before storage has it",
    file: "server/rollups/derive-levels.ts",
    right: "      await stored;\n      await this.#write(gathered.rows, step);",
    wrong: "      await this.#write(gathered.rows, step);",
    tests: "--project integration test/integration/rollups/overlapping-derivations.test.ts",
  },
  {
    rule: "a session that was corrected in storage is not held any more",
    file: "server/rollups/derive-levels.ts",
    right: "} else this.#held.evict(key);",
    wrong: "}",
    tests: held,
  },
  {
    rule: "what a derivation could not write is not held",
    file: "server/rollups/derive-levels.ts",
    right: "    this.#held.evictAll();\n",
    wrong: "",
    tests: held,
  },
  {
    rule: "an organization of which a correction left intervals without a session is derived from storage from then on",
    file: "server/rollups/derive-levels.ts",
    right: "for (const organization of scattered) this.#known.addScattered(organization);",
    wrong: "void scattered;",
    tests: held,
  },
  {
    rule: "an interval that events of several sessions name counts in one of them alone",
    file: "server/rollups/group-intervals.ts",
    right: "if (!home || home.session === found.session) {",
    wrong: "if (home !== undefined) {",
    tests: questions,
  },
  {
    rule: "an interval that events of several sessions name counts in the one that has it begin first",
    file: "clickhouse/queries/split_intervals.sql",
    right: "argMin(i.session, (i.started_ms, i.session))",
    wrong: "min(i.session)",
    tests: questions,
  },
  {
    rule: "what an event of another session changed is derived with its own session",
    file: "clickhouse/queries/mark_sessions_of_intervals.sql",
    right: "        HAVING length(others) <= 100",
    wrong: "        HAVING length(others) < 1",
    tests: questions,
  },
  {
    rule: "storage is asked whether others have events of an interval that memory has not met in the session",
    file: "server/rollups/fold-events.ts",
    right: "&& !known.meetInterval(event)) doubtful.push(event);",
    wrong: "&& !known.meetInterval(event)) void doubtful;",
    tests: split,
  },
  {
    rule: "the intervals that storage has are met when a process begins",
    file: "clickhouse/queries/interval_hashes.sql",
    right: "char(0), interval))",
    wrong: "char(0), char(0), interval))",
    tests: split,
  },
  {
    rule: "what a repair wrote is met before the next events of its sessions are",
    file: "server/rollups/derive-levels.ts",
    right: "        this.#known.forget();\n",
    wrong: "",
    tests: held,
  },
  {
    rule: "sessions of which a derivation was undone are listed as open until they are derived",
    file: "server/rollups/write-derivation.ts",
    right: "  await insertOpenSessions(clickhouse, asBody(due), { epoch });\n",
    wrong: "  void due;\n",
    tests: "--project integration test/integration/ingest/unfinished-derivation.test.ts",
  },
  {
    rule: "memory counts the signs of life that it holds",
    file: "server/rollups/running-session.ts",
    right: "this.#signs += foldEvent(interval.known, event);",
    wrong: "foldEvent(interval.known, event);",
    tests: running,
  },
  {
    rule: "memory keeps no line of an event for a column of it",
    file: "server/rollups/running-session.ts",
    right: "this.#intervals.set(detachString(key), interval);",
    wrong: "this.#intervals.set(key, interval);",
    tests: running,
  },
  {
    rule: "of a large session, an interval that ended is written anew",
    file: "server/rollups/running-spans.ts",
    right: "    block.ends = undefined;\n",
    wrong: "",
    tests: running,
  },
  {
    rule: "of a large session, what its intervals come to follows each sign of life",
    file: "server/rollups/running-spans.ts",
    right: "    block.summary = undefined;\n",
    wrong: "",
    tests: running,
  },
  {
    rule: "of a large session, a minute of which an edge changed is written anew",
    file: "server/rollups/running-edges.ts",
    right: "Object.assign(list[index] as HeldMinute, edges, sums, { lists: undefined });",
    wrong: "Object.assign(list[index] as HeldMinute, edges, sums);",
    tests: running,
  },
  {
    rule: "a session turns idle where the last of its participants leaves, however many minutes later the change is noticed",
    file: "server/rollups/running-edges.ts",
    right: "Math.min(opening, held.opening) + held.lowest <= 0",
    wrong: "opening + held.lowest < 0",
    tests: running,
  },
  {
    rule: "what runs while its organization moves goes on at the new parent",
    file: "server/rollups/session-parts.ts",
    right: "lists[index + 1]?.push({ level, atMs, delta: running, starts: 0 });",
    wrong: "lists[index + 1]?.push({ level, atMs, delta: running, starts: running });",
    tests: `--project unit test/unit/rollups/session-parts.test.ts ${moves}`,
  },
  {
    rule: "events of before a backdated move was known go to the new parent",
    file: "server/rollups/apply-moves.ts",
    right: "      await replaceEvents(clickhouse, params);\n",
    wrong: "",
    tests: moves,
  },
  {
    rule: "a named interval keeps the dimensions with which it began",
    file: "server/rollups/session-intervals.ts",
    right: 'if (dims === "" || (record.dims !== "" && atMs > record.dimsAtMs)) return;',
    wrong: 'if (dims === "" || (record.dims !== "" && atMs < record.dimsAtMs)) return;',
    tests: "--project unit test/unit/rollups/session-intervals.test.ts",
  },
  {
    rule: "a stay without a name is silent for as long as its own signs say",
    file: "server/rollups/resolve-session.ts",
    right: "      if (!open) timeoutMs = usualMs;\n",
    wrong: "",
    tests: "--project unit test/unit/rollups/resolve-session.test.ts test/unit/rollups/interval-signs.test.ts",
  },
  {
    rule: "an end without a name that comes before every start of its user waits for one",
    file: "server/rollups/resolve-session.ts",
    right: "(endMs !== undefined && endMs <= firstMs)",
    wrong: "(endMs !== undefined && endMs < firstMs)",
    tests: "--project unit test/unit/rollups/resolve-session.test.ts",
  },
  {
    rule: "a named interval starts with the earliest of its starts",
    file: "clickhouse/fragments/interval_aggregates.sql",
    right: "min(arrayMin(arrayPushBack(starts, 9223372036854775807))) AS started_ms",
    wrong: "max(arrayMin(arrayPushBack(starts, 9223372036854775807))) AS started_ms",
    tests: questions,
  },
  {
    rule: "a named interval ends with the latest of its ends",
    file: "clickhouse/fragments/interval_aggregates.sql",
    right: "max(if(level_action = 'end', time_ms, 0)) AS ended_ms",
    wrong: "any(if(level_action = 'end', time_ms, 0)) AS ended_ms",
    tests: `${levels} ${questions}`,
  },
  {
    rule: "an end at an instant frees before a start at it, where starts and ends are paired",
    file: "server/rollups/resolve-session.ts",
    right: "    if (endMs === atMs) {",
    wrong: "    if (endMs === atMs && startMs !== atMs) {",
    tests: `${unit} ${questions}`,
  },
  {
    rule: "a start while one is open changes nothing",
    file: "server/rollups/resolve-session.ts",
    right: "open ??= { startMs: atMs",
    wrong: "open = { startMs: atMs",
    tests: `${unit} ${questions}`,
  },
  {
    rule: "what is silent for longer than its timeout ended at its last sign of life",
    file: "server/rollups/resolve-session.ts",
    right: "if (nowMs > seenMs + timeoutMs) return span(seenMs, true);",
    wrong: "if (nowMs > seenMs + timeoutMs) return span(seenMs + timeoutMs, true);",
    tests: `${unit} ${questions}`,
  },
  {
    rule: "events of a range's last quarter of an hour that come after its end are not in it",
    file: "clickhouse/fragments/whole_end.sql",
    right: ") = 0,",
    wrong: ") >= 0,",
    tests: "--project integration test/integration/metrics/quarters.test.ts",
  },
  {
    rule: "a session's end ends what is open in it",
    file: "server/rollups/resolve-session.ts",
    right: "if (closed !== undefined && closed <= seenMs + timeoutMs) return span(closed);",
    wrong: "",
    tests: `${unit} ${questions}`,
  },
  {
    rule: "a session is active while at least one participant is there",
    file: "server/rollups/resolve-session.ts",
    right: "Number(present > 0) - Number(before > 0)",
    wrong: "Number(present > 1) - Number(before > 1)",
    tests: `${unit} ${levels}`,
  },
  {
    rule: "a level is carried into the next window",
    file: "server/metrics/level-windows.ts",
    right: "    level += net;\n",
    wrong: "",
    tests: levels,
  },
  {
    rule: "what ends at a window's first instant is not in its peak",
    file: "server/metrics/level-windows.ts",
    right: "change.firstMs === startMs",
    wrong: "false",
    tests: `${levels} ${questions}`,
  },
  {
    rule: "minutes are split exactly at the edges of windows",
    file: "clickhouse/queries/span_windows.sql",
    right: "least(piece.2, window_end(window_index)) - since",
    wrong: "piece.2 - since",
    tests: questions,
  },
  {
    rule: "minutes are rounded half up, once, to 6 decimals",
    file: "server/numbers/exact.ts",
    right: "(_, half) => half >= 0",
    wrong: "() => false",
    tests: `--project unit test/unit/metrics test/unit/numbers ${questions}`,
  },
  {
    rule: "an interval of no length is nowhere present",
    file: "clickhouse/queries/distinct_windows.sql",
    right: "AND since < until",
    wrong: "AND since <= until",
    tests: questions,
  },
  {
    rule: "what a limit leaves is one group",
    file: "clickhouse/fragments/selected.sql",
    right: "{folds:UInt8} = 1 AND NOT has",
    wrong: "{folds:UInt8} = 1 AND has",
    tests: questions,
  },
  {
    rule: "a filter that excludes takes what it names away",
    file: "clickhouse/fragments/holds.sql",
    right: "operator = 'not', NOT has(wanted, value)",
    wrong: "operator = 'not', has(wanted, value)",
    tests: questions,
  },
  {
    rule: "an average is weighted",
    file: "clickhouse/queries/measured_windows.sql",
    right: "if({weight:String} = '', toNullable(toDecimal256(60, 9)), value_in_sixtieths) AS heft",
    wrong: "toNullable(toDecimal256(60, 9)) AS heft",
    tests: questions,
  },
  {
    rule: "a level by value falls",
    file: "clickhouse/queries/value_level_windows.sql",
    right: "ifNull(number, toDecimal256(0, 9))) * if(type IN {raises:Array(String)}, 1, -1) AS delta",
    wrong: "ifNull(number, toDecimal256(0, 9))) AS delta",
    tests: questions,
  },
  {
    rule: "a void event counts no more",
    file: "clickhouse/migrations/0026_exact_sums.sql",
    right: "sum(toInt64(sign)) AS events",
    wrong: "toInt64(count()) AS events",
    tests: "--project integration test/integration/corrections.test.ts",
  },
  {
    rule: "a sum holds more than an amount does",
    file: "clickhouse/migrations/0026_exact_sums.sql",
    right: "sum(toDecimal256(ifNull(value, toDecimal128(0, 9)) * sign, 9)) AS amount",
    wrong: "sum(ifNull(value, toDecimal128(0, 9)) * sign) AS amount",
    tests: "--project integration test/integration/metrics/exact-sums.test.ts",
  },
  {
    rule: "a day begins at local midnight",
    file: "server/metrics/zone-dates.ts",
    right: '"compatible"',
    wrong: '"later"',
    tests: unit,
  },
];

/** One red test is all that is asked, and says no more by being tried again. */
const untilOneIsRed = ["--bail", "1", "--retry", "0"];
const wanted = process.argv[2] ?? "";
let green = 0;
const chosen = [...errors, ...ingestErrors].filter(({ rule }) => rule.includes(wanted));
for (const { rule, file, right, wrong, tests } of chosen) {
  const copy = copyWithErrors([{ file, right, wrong }]);
  const { status } = spawnSync(
    "npx",
    ["vitest", "run", "--config", "test/vitest.config.ts", "--reporter", "dot", ...untilOneIsRed, ...tests.split(" ")],
    { cwd: copy, env: { ...process.env, PROPERTY_RUNS: process.env.PROPERTY_RUNS ?? "300" }, stdio: "ignore" },
  );
  const isRed = status !== 0;
  if (!isRed) green++;
  console.log(`${isRed ? "red  " : "GREEN"}  ${rule}`);
  rmSync(copy, { recursive: true, force: true });
}
console.log(green === 0 ? "every planted error turned a test red" : `${green} planted errors went unnoticed`);
process.exitCode = green === 0 ? 0 : 1;
