/** What a file of a run is called where it is stored or attached. */
import type { FileRecord } from "./run-files.ts";
import type { RunRecord } from "./runs.ts";

/** A name of plain letters, so that no header and no file system takes it for anything else. */
export function fileName(
  { kind, fromAt, toAt }: Pick<RunRecord, "kind" | "fromAt" | "toAt">,
  { format, section }: FileRecord,
): string {
  const day = (at: Date) => at.toISOString().slice(0, 10);
  const part = section === "" ? "" : `-${section.replace(/[^a-z0-9_-]/gi, "_")}`;
  return `${kind}-${day(fromAt)}-${day(toAt)}${part}.${format}`;
}
