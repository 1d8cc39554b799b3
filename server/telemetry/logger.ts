/**
 * The service's log: lines of JSON. One cause is one line a minute, however many requests, jobs and loops meet it: an outage
 * of an hour leaves sixty lines. No line has what a query was asked with, which may hold the hash of a key.
 */
import { type Logger, type LoggerOptions, pino } from "pino";
import { isStoreUnavailable } from "../health/store-trouble.ts";

const sayAgainMs = 60_000;
const maxCauses = 500;
const maxTextLength = 600;

export function createLogger(level: string, destination?: { write(line: string): void }): Logger {
  const options: LoggerOptions = {
    level,
    base: undefined,
    redact: ["req.headers.authorization", "req.headers.cookie"],
    serializers: { err: describeError },
    hooks: { logMethod: oncePerCause() },
  };
  return destination ? pino(options, destination) : pino(options);
}

/** For an error that wraps a query, the database's own answer alone: the wrapper's text is the query with its values. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const root = withoutQueries(error);
  const code =
    "code" in root && (typeof root.code === "string" || typeof root.code === "number") ? root.code : undefined;
  return {
    type: root.name,
    message: shortened(root.message),
    ...(code !== undefined && { code }),
    // The first line repeats the message.
    stack: shortened(
      (root.stack ?? "")
        .split("\n")
        .filter((line) => /^\s+at /.test(line))
        .slice(0, 8)
        .join("\n"),
      1_500,
    ),
    ...(root.cause instanceof Error && { cause: describeCause(root.cause) }),
  };
}

function describeCause(cause: Error): string {
  return shortened(withoutQueries(cause).message);
}

function withoutQueries(error: Error): Error {
  return error.message.startsWith("Failed query:") && error.cause instanceof Error
    ? withoutQueries(error.cause)
    : error;
}

const shortened = (text: string, length = maxTextLength) => (text.length > length ? `${text.slice(0, length)}…` : text);

/** Passes on the first line of each cause in a minute, and says on the next one how many were left out since. */
function oncePerCause(now: () => number = performance.now.bind(performance)) {
  const said = new Map<string, { atMs: number; repeats: number }>();
  return function logMethod(
    this: Logger,
    args: Parameters<Logger["info"]>,
    method: (this: Logger, ...args: Parameters<Logger["info"]>) => void,
  ): void {
    const [context] = args as [unknown];
    const error = typeof context === "object" && context !== null && "err" in context ? context.err : undefined;
    if (!(error instanceof Error)) {
      method.apply(this, args);
      return;
    }
    const key = causeOf(error, String(args[1] ?? ""));
    const nowMs = now();
    const before = said.get(key);
    if (before && nowMs - before.atMs < sayAgainMs) {
      before.repeats++;
      return;
    }
    if (said.size >= maxCauses) said.clear();
    said.set(key, { atMs: nowMs, repeats: 0 });
    const repeats = before?.repeats ?? 0;
    method.apply(this, repeats > 0 ? ([{ ...(context as object), repeats }, ...args.slice(1)] as typeof args) : args);
  };
}

/** An outage is one cause, whoever meets it and whatever the driver says of it; other errors differ by where they are met. */
function causeOf(error: Error, message: string): string {
  const root = withoutQueries(error);
  if (isStoreUnavailable(error)) return `unavailable ${storeOf(error)}`;
  return `${message} ${root.message}`;
}

function storeOf(error: unknown): string {
  for (let current = error, depth = 0; current instanceof Error && depth < 6; current = current.cause, depth++) {
    if ("store" in current && typeof current.store === "string") return current.store;
    if ("command" in current) return "redis";
  }
  return "postgres";
}
