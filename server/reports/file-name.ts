/** What a file of a run is called where it is stored or attached. */
import { formatInstant } from "../metrics/windows.ts";
import type { FileRecord } from "./run-files.ts";
import type { RunRecord } from "./runs.ts";

/** A name of plain letters, so that no header and no file system takes it for anything else; its dates are those of the run's zone. */
export function fileName(
  { kind, fromAt, toAt, tz }: Pick<RunRecord, "kind" | "fromAt" | "toAt" | "tz">,
  { format, section }: FileRecord,
): string {
  const day = (at: Date) => formatInstant(at.getTime(), tz).slice(0, 10);
  const part = section === "" ? "" : `-${section.replace(/[^a-z0-9_-]/gi, "_")}`;
  return `${kind}-${day(fromAt)}-${day(toAt)}${part}.${format}`;
}
