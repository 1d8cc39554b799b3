/**
 * `npm run chaos`: CHAOS_KILLS (default 1,000) kills of server, ClickHouse, Postgres and Redis under load, in rounds with a
 * service of their own, every second one with Redis. Nothing acknowledged may be lost, nothing counted twice, and every
 * view must say what the events say. A kill of the server also takes what its log had not synced, as a power cut would.
 */
import { spawnSync } from "node:child_process";
import { type RoundFigures, runRound } from "./chaos-round.ts";
import { listed } from "./check-stores.ts";

const kills = Number(process.env.CHAOS_KILLS ?? 1_000);
const maxKillsPerRound = 125;

const hasRedis = spawnSync("redis-server", ["--version"]).status === 0;
if (!hasRedis) console.log("redis-server is not installed: all rounds run without Redis");

const all: RoundFigures[] = [];
let failures = 0;
const rounds = Math.ceil(kills / maxKillsPerRound);
for (let round = 0; round < rounds; round++) {
  const withRedis = hasRedis && round % 2 === 1;
  const share = Math.floor((kills * (round + 1)) / rounds) - Math.floor((kills * round) / rounds);
  const title = `round ${round + 1} of ${rounds}${withRedis ? ", with Redis" : ""}`;
  try {
    const figures = await runRound({ kills: share, withRedis });
    all.push(figures);
    const { lost, doubled, differing, wrongVerdicts } = figures;
    console.log(`${title}: ${describe([figures])}`);
    for (const [what, lines] of Object.entries({ lost, doubled, differing, "wrong verdicts": wrongVerdicts }))
      if (lines.length > 0) console.log(`  ${what}:\n  ${listed(lines)}`);
    if (figures.keptFolder !== undefined) {
      failures++;
      console.log(`  its data folder is kept: ${figures.keptFolder}`);
    }
  } catch (error) {
    failures++;
    console.log(`${title}: did not come to its end`, error);
  }
}

console.log(`\nAll: ${describe(all)}\n`);
console.log(tableOfKills(all));
console.log(
  failures === 0
    ? "\nNothing acknowledged was lost, nothing was counted twice, every view is what the events come to."
    : `\n${failures} of ${rounds} rounds FAILED`,
);
process.exit(failures === 0 ? 0 : 1);

function describe(rounds: readonly RoundFigures[]): string {
  const sum = (of: (round: RoundFigures) => number) => rounds.reduce((total, round) => total + of(round), 0);
  const refused = new Map<number, number>();
  for (const round of rounds)
    for (const [status, count] of round.refused) refused.set(status, (refused.get(status) ?? 0) + count);
  const recoveries = rounds.flatMap((round) => round.recoveriesMs).sort((a, b) => a - b);
  const seconds = (ms: number | undefined) => `${((ms ?? 0) / 1000).toFixed(1)} s`;
  return [
    `${killed(rounds)} kills in ${seconds(sum((round) => round.seconds) * 1000)}`,
    `${sum((round) => round.acknowledged)} events acknowledged`,
    `${sum((round) => round.requests)} requests, ${sum((round) => round.resent)} of them sent again`,
    `${sum((round) => round.cut)} cut`,
    `refused ${[...refused].map(([status, count]) => `${count} × ${status}`).join(", ") || "none"}`,
    `${sum((round) => round.lost.length)} lost`,
    `${sum((round) => round.doubled.length)} doubled`,
    `${sum((round) => round.differing.length)} differing`,
    `${sum((round) => round.wrongVerdicts.length)} wrong verdicts`,
    `${sum((round) => round.unsyncedBytes)} unsynced bytes of the log taken`,
    `${sum((round) => round.ownEnds)} starts cut by a store's death`,
    `recovery: median ${seconds(recoveries[Math.floor(recoveries.length / 2)])}, longest ${seconds(recoveries.at(-1))}`,
  ].join("; ");
}

function killed(rounds: readonly RoundFigures[]): number {
  return rounds.reduce((total, { kills }) => {
    for (const victims of kills.values()) for (const count of victims.values()) total += count;
    return total;
  }, 0);
}

/** Kills by moment and process. */
function tableOfKills(rounds: readonly RoundFigures[]): string {
  const victims = ["server", "clickhouse", "postgres", "redis"] as const;
  const moments = ["under load", "while recovering", "several at once", "when idle"] as const;
  const row = (cells: readonly unknown[]) => `| ${cells.join(" | ")} |`;
  const count = (moment: (typeof moments)[number], victim: (typeof victims)[number]) =>
    rounds.reduce((total, { kills }) => total + (kills.get(moment)?.get(victim) ?? 0), 0);
  return [
    row(["kills", ...victims]),
    row(["---", ...victims.map(() => "---")]),
    ...moments.map((moment) => row([moment, ...victims.map((victim) => count(moment, victim))])),
  ].join("\n");
}
