import { expect, test } from "vitest";
import { runAlertsRound } from "./alerts-round.ts";

const kills = 10;

test(`through ${kills} random kill -9 of server and stores every crossed limit is notified by mail and webhook, each under one id`, async () => {
  const figures = await runAlertsRound(kills, { withRedis: false });
  expect(figures.missing).toEqual([]);
  expect(figures.doubled).toEqual([]);
  expect(figures.crossings).toBeGreaterThan(kills / 2);
});
