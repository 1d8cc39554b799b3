import { expect, test } from "vitest";
import { runRound } from "./chaos-round.ts";

const kills = 20;

test(`after ${kills} random kill -9 of server, ClickHouse and Postgres, nothing acknowledged is lost and nothing counts twice: raw = views = oracle`, async () => {
  const figures = await runRound({ kills, withRedis: false });
  expect(figures.lost).toEqual([]);
  expect(figures.doubled).toEqual([]);
  expect(figures.differing).toEqual([]);
  expect(figures.wrongVerdicts).toEqual([]);
  expect(figures.acknowledged).toBeGreaterThan(1_000);
}, 600_000);
