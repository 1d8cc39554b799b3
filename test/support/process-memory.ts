/** How much memory another process has, as the kernel counts it. */
import { readFile, writeFile } from "node:fs/promises";

/** `VmRSS`: resident now; `VmHWM`: at its highest since `forgetPeak`. Throws when the process has ended. */
export async function residentBytes(pid: number, line: "VmRSS" | "VmHWM"): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const kibibytes = new RegExp(`^${line}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
  if (kibibytes === undefined) throw new Error(`the process ${pid} has ended`);
  return Number(kibibytes) * 1_024;
}

export async function forgetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, "5");
}
