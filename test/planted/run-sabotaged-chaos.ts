/**
 * `npm run chaos:sabotaged`: the kills of `npm run chaos` against copies of the project that break a promise the way
 * other systems do. Every one must be found out within CHAOS_KILLS kills (default 40).
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { copyWithErrors, type Replacement } from "./project-copy.ts";

interface Sabotage {
  what: string;
  replacements: readonly Replacement[];
}

const sabotages: readonly Sabotage[] = [
  {
    what: "acknowledges before the sync",
    replacements: [
      {
        file: "server/ingest/log/write-ahead-log.ts",
        right: `    try {
      await this.#active.datasync();
    } catch (error) {
      throw this.#fatal(error);
    }
`,
        wrong: "    this.#active.datasync().catch((error) => this.#fatal(error));\n",
      },
    ],
  },
  {
    what: "sums in the views' targets instead of keeping batches apart",
    replacements: [
      {
        file: "clickhouse/migrations/0003_usage_per_15m.sql",
        right: "ENGINE = ReplacingMergeTree(version, is_deleted)",
        wrong: "ENGINE = SummingMergeTree((events, amount))",
      },
      {
        file: "clickhouse/migrations/0003_usage_per_15m.sql",
        right: "agent, dims, batch)\nSETTINGS",
        wrong: "agent, dims)\nSETTINGS",
      },
      {
        file: "clickhouse/migrations/0010_node_usage_per_15m.sql",
        right: "ENGINE = ReplacingMergeTree(version, is_deleted)",
        wrong: "ENGINE = SummingMergeTree((events, amount))",
      },
      {
        file: "clickhouse/migrations/0010_node_usage_per_15m.sql",
        right: "bucket, dims, batch)\nSETTINGS",
        wrong: "bucket, dims)\nSETTINGS",
      },
      // One batch cannot be counted there any more.
      {
        file: "server/ingest/flush/store-batch.ts",
        right: "if (count?.events !== expected || count.counted !== expected || count.counted_for_nodes !== expected)",
        wrong: "if (count?.events !== expected)",
      },
    ],
  },
];

const kills = process.env.CHAOS_KILLS ?? "40";
const wanted = process.argv[2] ?? "";
let unnoticed = 0;
for (const { what, replacements } of sabotages.filter((sabotage) => sabotage.what.includes(wanted))) {
  const copy = copyWithErrors(replacements);
  // What a failed round keeps for study goes with the copy.
  const folder = join(copy, "data");
  mkdirSync(folder);
  const { status, stdout } = spawnSync(process.execPath, ["--import", "tsx", "test/chaos/run-chaos.ts"], {
    cwd: copy,
    env: { ...process.env, CHAOS_KILLS: kills, TMPDIR: folder },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status === 0) unnoticed++;
  console.log(`${status === 0 ? "UNNOTICED" : "found out"}  ${what}\n${stdout}`);
  rmSync(copy, { recursive: true, force: true });
}
console.log(unnoticed === 0 ? "every sabotage was found out" : `${unnoticed} went unnoticed`);
process.exitCode = unnoticed === 0 ? 0 : 1;
