/**
 * Tells one process from another that later got the same pid: a pid alone says nothing after a restart of the machine,
 * or inside a container, where the service gets the same small pid every time.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { parseJson } from "../json/parse-json.ts";

const processIdentitySchema = z.object({
  pid: z.number().int().positive(),
  /** Opaque; differs between two processes that had the same pid. Empty where the platform does not know. */
  started: z.string(),
});
export type ProcessIdentity = z.infer<typeof processIdentitySchema>;

/** The process that has this pid now, or undefined when none has. A zombie is none: it holds nothing any more. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, but belongs to someone else.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return undefined;
  }
  if (process.platform === "linux") return identifyFromProc(pid);
  if (process.platform === "win32") return { pid, started: "" };
  try {
    return { pid, started: execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim() };
  } catch {
    return undefined;
  }
}

/** Reads what JSON.stringify made of an identity; undefined for anything else, such as a file that a crash left empty. */
export function parseProcessIdentity(text: string): ProcessIdentity | undefined {
  try {
    return processIdentitySchema.safeParse(parseJson(text)).data;
  } catch {
    return undefined;
  }
}

/** True while this very process runs, not another one with its pid. */
export function isSameProcessRunning(identity: ProcessIdentity): boolean {
  return identifyProcess(identity.pid)?.started === identity.started;
}

/** Sends `signal`, after `patienceMs` SIGKILL, and resolves when the process is gone; "absent" when it was already. */
export async function endProcess(
  identity: ProcessIdentity,
  signal: NodeJS.Signals,
  patienceMs: number,
): Promise<"absent" | "ended" | "killed"> {
  if (!sendSignal(identity, signal)) return "absent";
  const deadline = Date.now() + patienceMs;
  while (isSameProcessRunning(identity)) {
    if (Date.now() > deadline) {
      sendSignal(identity, "SIGKILL");
      while (isSameProcessRunning(identity)) await delay(10);
      return "killed";
    }
    await delay(10);
  }
  return "ended";
}

function sendSignal(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isSameProcessRunning(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

function identifyFromProc(pid: number): ProcessIdentity | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  // The second field is the name in parentheses, which may itself contain spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields[0] === "Z" || fields[0] === "X") return undefined;
  // Field 22 of proc(5): clock ticks between boot and the start of the process.
  return { pid, started: `${bootId()} ${fields[19]}` };
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}
