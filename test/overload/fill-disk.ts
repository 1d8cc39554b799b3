/**
 * The disk of the log is full: a small file system of its own holds it. It fills with events while ClickHouse stands still,
 * and again at once, by a file that somebody else writes while events come. What does not fit is refused and was not taken,
 * what was acknowledged is stored, and the service goes on by itself when there is room.
 */
import { spawnSync } from "node:child_process";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { UsageApi } from "../../server/programs/usage-api.ts";
import { startService } from "../support/service.ts";
import { describe, expectAtMost, newTally, post } from "./offer-events.ts";
import { clickHousePid } from "./stand-still.ts";

/** The service leaves the last 256 MiB of a disk alone, so that what else lies on it can go on. */
const diskBytes = 320 * 1024 * 1024;
const refusalsWanted = 20;
const recoverWithinMs = 30_000;
const drainWithinMs = 120_000;

const isDone = (program: string, ...args: string[]) => spawnSync(program, args, { stdio: "ignore" }).status === 0;

/** Writes until nothing fits any more. */
async function fill(path: string): Promise<void> {
  const file = await open(path, "w");
  try {
    for (const block = Buffer.alloc(1024 * 1024); ; ) await file.write(block);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
  } finally {
    await file.close();
  }
}

/** Needs the right to mount. */
export async function fillDisk(): Promise<void> {
  const service = await startService({ LOG_LEVEL: "error" });
  await service.stopServer();
  const folder = join(service.dataDir, "log");
  if (!isDone("mount", "-t", "tmpfs", "-o", `size=${diskBytes}`, "tmpfs", folder)) {
    console.log("a full disk: not tried, it takes the right to mount a file system");
    await service.stop();
    return;
  }
  try {
    await service.startServer();
    const tally = newTally();
    const sendUntilRefused = async () => {
      for (let refused = 0; refused < refusalsWanted; )
        if (!(await post(service.url, service.rootKey, 1_000, tally))) refused++;
    };
    const sendUntilTaken = async (title: string) => {
      const mendedAtMs = Date.now();
      while (!(await post(service.url, service.rootKey, 1, tally))) await delay(100);
      expectAtMost(`${title}, ms until events are taken again`, Date.now() - mendedAtMs, recoverWithinMs);
    };
    console.log(`the disk of the log is full at ${diskBytes / 1024 / 1024} MiB:`);
    const pid = await clickHousePid(service.dataDir);
    process.kill(pid, "SIGSTOP");
    try {
      await sendUntilRefused();
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await sendUntilTaken("full of events");
    const filler = join(folder, "filler");
    await Promise.all([fill(filler), sendUntilRefused()]);
    await rm(filler);
    await sendUntilTaken("filled by somebody else");
    console.log(`  ${describe(tally)}`);
    const api = new UsageApi({ url: service.url, key: service.rootKey });
    await api.whenVisible(drainWithinMs);
    const { meters } = await api.usage({ meter: "api_calls", from: "2000-01-01", to: "2100-01-01", window: "total" });
    const stored = Number(meters[0]?.total);
    expectAtMost("acknowledged events that are missing", tally.acknowledged - stored, 0);
    expectAtMost("events that were refused and are there", stored - tally.acknowledged, 0);
    const others = [...tally.answers.keys()].filter((status) => status !== "202" && status !== "503");
    expectAtMost("answers other than 202 and 503", others.length, 0);
  } finally {
    await service.stopServer();
    isDone("umount", folder);
    await service.stop();
  }
}
