/** What the tests of both embedded stores do alike: kill, wait for a state, hold one in a process that can be killed. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import { identifyProcess, isSameProcessRunning, type ProcessIdentity } from "../../server/process/process-identity.ts";
import { eventually } from "./service.ts";

export interface HeldStore {
  holder: ChildProcess;
  store: ProcessIdentity;
}

/** Starts the store in a process of its own; resolves when it answers. */
export async function holdStore(store: "clickhouse" | "postgres", dataDir: string): Promise<HeldStore> {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  const script = fileURLToPath(new URL("./hold-store.ts", import.meta.url));
  const holder = spawn(process.execPath, ["--import", tsx, script, store, dataDir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(createInterface({ input: holder.stdout }), "line");
  return { holder, store: runningProcess(Number(line)) };
}

export async function killHard(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

/** The process with this pid, which has to run. */
export function runningProcess(pid: number | undefined): ProcessIdentity {
  const identity = pid === undefined ? undefined : identifyProcess(pid);
  if (identity === undefined) throw new Error(`Expected a running process, got ${pid}`);
  return identity;
}

export async function whenGone(identity: ProcessIdentity): Promise<void> {
  await eventually(`process ${identity.pid} to end`, () => (isSameProcessRunning(identity) ? undefined : true));
}
