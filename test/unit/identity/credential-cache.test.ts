import { beforeEach, describe, expect, test } from "vitest";
import { CredentialCache } from "../../../server/identity/credential-cache.ts";

const holdMs = 60 * 60 * 1000;
const away = new Error("away");
let nowMs: number;
let isAway: boolean;
/** What each credential stands for. */
let stored: Map<string, string>;
let cache: CredentialCache<string>;

beforeEach(() => {
  nowMs = Date.UTC(2026, 0, 1);
  isAway = false;
  stored = new Map();
  const read = async () => {
    if (isAway) throw away;
    return [...stored.values()][0];
  };
  cache = new CredentialCache<string>(read, () => nowMs, {
    holdMs,
    isUnavailable: (error) => error === away,
    readMany: async (hashes) => {
      if (isAway) throw away;
      return new Map(hashes.map((hash) => [hash, "known"]));
    },
  });
});

/** Known, and then the store goes. */
async function knownThenAway(): Promise<void> {
  stored.set("key", "known");
  expect(await cache.get("key")).toBe("known");
  isAway = true;
  nowMs += 3_000;
  expect(await cache.get("key")).toBe("known");
}

describe("while the store is away", () => {
  test("a known credential goes on to the last millisecond of the hour, and no further: then whoever asks is told to come back", async () => {
    await knownThenAway();
    const awaySinceMs = nowMs;
    for (const passedMs of [60_000, holdMs / 2, holdMs]) {
      nowMs = awaySinceMs + passedMs;
      expect(await cache.get("key")).toBe("known");
      expect(cache.isTrusted).toBe(true);
    }
    nowMs = awaySinceMs + holdMs + 1;
    expect(cache.isTrusted).toBe(false);
    await expect(cache.get("key")).rejects.toBe(away);
    nowMs += holdMs;
    await expect(cache.get("key")).rejects.toBe(away);
  });

  test("asking does not lengthen the hour, nor does one that was never known", async () => {
    await knownThenAway();
    const awaySinceMs = nowMs;
    while (nowMs <= awaySinceMs + holdMs) {
      await cache.get("key");
      await expect(cache.get("never known")).rejects.toBe(away);
      nowMs += 300_000;
    }
    await expect(cache.get("key")).rejects.toBe(away);
  });

  test("when it is back after the hour, the credential counts again with what it stands for now", async () => {
    await knownThenAway();
    nowMs += holdMs + 1;
    await expect(cache.get("key")).rejects.toBe(away);
    isAway = false;
    stored.set("key", "changed");
    expect(await cache.get("key")).toBe("changed");
    expect(cache.isTrusted).toBe(true);
  });

  test("one that is announced as ended does not go on", async () => {
    await knownThenAway();
    cache.clear((value) => value === "known");
    await expect(cache.get("key")).rejects.toBe(away);
  });
});

test("once the store is reached again it is trusted, also where nothing was known: a process that is sent nothing while it is not ready would else never be", async () => {
  isAway = true;
  await expect(cache.get("unknown")).rejects.toBe(away);
  nowMs += holdMs + 1;
  expect(cache.isTrusted).toBe(false);
  isAway = false;
  // The notices are listened to again.
  cache.clear();
  await expect.poll(() => cache.isTrusted).toBe(true);
});
