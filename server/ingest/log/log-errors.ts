/** What the write-ahead log rejects with; each says what is known about the append, or about what was on disk. */

/** The disk or the log's own bound is full; nothing of the rejected append is in the log, and a later one may succeed. */
export class LogFullError extends Error {
  override name = "LogFullError";
}

/** The log can take nothing more in this process; whether the rejected append is on disk is unknown. */
export class LogFailedError extends Error {
  override name = "LogFailedError";
}

/** Acknowledged records cannot be read back; the file is left as it is. */
export class LogDamagedError extends Error {
  override name = "LogDamagedError";
}
