import { expect, test } from "vitest";
import { runRound } from "./chaos-round.ts";
import { easyPauseMs } from "./ledger.ts";

const kills = 20;

test(`after ${kills} random kill -9 of server, ClickHouse and Postgres, nothing acknowledged is lost and nothing counts twice: raw = views = oracle`, async () => {
  const figures = await runRound({ kills, withRedis: false, maxPauseMs: easyPauseMs });
  const recoveries = figures.recoveriesMs.map((ms) => (ms / 1_000).toFixed(1)).join(", ");
  console.log(
    `${figures.acknowledged} events acknowledged in ${figures.seconds} s; seconds of the recoveries: ${recoveries}`,
  );
  expect(figures.lost).toEqual([]);
  expect(figures.doubled).toEqual([]);
  expect(figures.differing).toEqual([]);
  expect(figures.wrongVerdicts).toEqual([]);
  expect(figures.acknowledged).toBeGreaterThan(1_000);
});
