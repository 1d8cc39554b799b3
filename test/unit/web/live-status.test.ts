import { describe, expect, it } from "vitest";
import { classifyPush, liveState, staleAfterMs } from "../../../web/src/live/live-status.ts";

const facts = { isConnected: true, isPaused: false, openedAtMs: 999_000, receivedAtMs: 1_000_000, nowMs: 1_000_000 };

describe("the state of live figures", () => {
  it.each([
    ["fresh figures are live", {}, "live"],
    ["figures at the age limit are live", { nowMs: 1_000_000 + staleAfterMs }, "live"],
    ["a connection that brings nothing does not make old figures live", { nowMs: 1_000_001 + staleAfterMs }, "stale"],
    ["figures without a connection are never live, however fresh", { isConnected: false }, "reconnecting"],
    ["a pause is said to be one, connected or not", { isConnected: false, isPaused: true }, "paused"],
    ["before the first figures it is connecting", { receivedAtMs: null }, "connecting"],
    [
      "a server that was never reached is still being connected to",
      { receivedAtMs: null, isConnected: false },
      "connecting",
    ],
    [
      "figures that have not come for as long as makes them old are said to be missing, connected or not",
      { receivedAtMs: null, nowMs: 999_001 + staleAfterMs },
      "unreachable",
    ],
    ["a clock that was set back makes nothing stale", { nowMs: 500 }, "live"],
  ] as const)("%s", (_, change, expected) => {
    expect(liveState({ ...facts, ...change })).toBe(expected);
  });
});

describe("a push", () => {
  it.each([
    ["that follows the last one is applied", 7, 8, "apply"],
    ["that came before is ignored", 7, 7, "ignore"],
    ["after a gap asks for a snapshot", 7, 9, "resync"],
    ["before any snapshot is ignored", null, 1, "ignore"],
  ] as const)("%s", (_, last, sequence, expected) => {
    expect(classifyPush(last, sequence)).toBe(expected);
  });
});
