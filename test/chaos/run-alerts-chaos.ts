/**
 * `npm run chaos:alerts`: CHAOS_KILLS (default 200) kills of server, ClickHouse, Postgres and Redis, and flushes of Redis, while limits
 * are crossed, in rounds with a service of their own, every second one with Redis. Each crossing has to reach a mail server
 * and a receiver of webhooks, under one id.
 */
import { spawnSync } from "node:child_process";
import { type AlertsRoundFigures, runAlertsRound } from "./alerts-round.ts";

const kills = Number(process.env.CHAOS_KILLS ?? 200);
const maxKillsPerRound = 25;
const hasRedis = spawnSync("redis-server", ["--version"]).status === 0;
if (!hasRedis) console.log("redis-server is not installed: all rounds run without Redis");

const all: AlertsRoundFigures[] = [];
let isBroken = false;
for (let done = 0, round = 0; done < kills; round++) {
  const share = Math.min(maxKillsPerRound, kills - done);
  const withRedis = hasRedis && round % 2 === 1;
  const figures = await runAlertsRound(share, { withRedis });
  all.push(figures);
  done += share;
  console.log(`round ${round + 1}${withRedis ? ", with Redis" : ""}: ${describe([figures])}`);
  for (const [what, lines] of Object.entries({ missing: figures.missing, "two ids": figures.doubled }))
    if (lines.length > 0) {
      isBroken = true;
      console.log(`  ${what}: ${lines.join(", ")}`);
    }
}
console.log(`All: ${describe(all)}`);
process.exit(isBroken ? 1 : 0);

function describe(rounds: readonly AlertsRoundFigures[]): string {
  const sum = (of: (one: AlertsRoundFigures) => number) => rounds.reduce((total, one) => total + of(one), 0);
  const lateness = rounds.flatMap(({ latenessMs }) => latenessMs).sort((a, b) => a - b);
  const at = (share: number) => `${((lateness[Math.floor(share * (lateness.length - 1))] ?? 0) / 1000).toFixed(1)} s`;
  const counts = new Map<string, number>();
  for (const one of rounds)
    for (const [blow, count] of Object.entries(one.kills)) counts.set(blow, (counts.get(blow) ?? 0) + count);
  const blows = [...counts].map(([blow, count]) => `${blow} ${count}`).join(", ");
  return `${sum((one) => one.crossings)} crossings; ${blows}; missing ${sum((one) => one.missing.length)}, two ids ${sum((one) => one.doubled.length)}, repeated under their id ${sum((one) => one.repeats)}; blows after p50 ${at(0.5)}, p99 ${at(0.99)}`;
}
