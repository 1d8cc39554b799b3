/**
 * Keeps one child process alive: ends what a killed service left behind, starts it, waits until it answers, starts it
 * again with backoff when it dies. While it is down its users get refused connections, which they retry.
 */
import type { ChildProcess } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { endProcess, identifyProcess, parseProcessIdentity } from "../process/process-identity.ts";

export interface ChildOptions {
  name: string;
  start(): Promise<ChildProcess>;
  /** Rejects while the child does not answer yet. */
  probe(): Promise<void>;
  /** How long a start may take, ms; after it the child counts as hung. */
  startWithinMs: number;
  stopSignal: NodeJS.Signals;
  /** Names the running child, so that a start after kill -9 of the service ends that one first. */
  identityFile: string;
  /** Where a person reads why it failed. */
  logFiles: readonly string[];
  log: Logger;
}

export interface KeptChild {
  /** Pid of the child that runs now, or undefined while it is down. */
  pid(): number | undefined;
  /** Ends it with its signal, and after `graceMs` for good; nothing is started again. */
  stop(graceMs?: number): Promise<void>;
}

const longestBackoffMs = 10_000;
/** Two stores after one another fit into the 10 s in which a stop of the whole service has to be over. */
const defaultGraceMs = 4_000;
/** A child that lived this long was healthy: its next death is repaired at once. */
const healthyAfterMs = 60_000;

const probeEveryMs = 2_000;
/** Nothing listens any more, though the process runs. */
const refusedAfterMs = 10_000;
/** A store that is busy, or a machine that stands still, may be silent for a while and go on. */
const silentAfterMs = 150_000;

function isRefused(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if ((cause as NodeJS.ErrnoException).code === "ECONNREFUSED") return true;
  return false;
}

/** Resolves when the child answers. Rejects when the first start fails; later deaths are logged and repaired. */
export async function keepChild(options: ChildOptions): Promise<KeptChild> {
  const { name, log } = options;
  const stopping = new AbortController();
  let child: ChildProcess;
  let startedAtMs: number;
  let isReady = false;

  async function startOnce(): Promise<void> {
    isReady = false;
    await endLeftover(options);
    startedAtMs = Date.now();
    child = await options.start();
    const identity = child.pid === undefined ? undefined : identifyProcess(child.pid);
    if (identity !== undefined) await writeFile(options.identityFile, JSON.stringify(identity), { mode: 0o600 });
    try {
      await untilReady(child, options, stopping.signal);
      isReady = true;
    } catch (error) {
      await end(child, "SIGKILL", 0);
      throw error;
    }
  }

  /** Ends a child that runs but does not answer; `watch` starts it again. */
  async function watchAnswers(): Promise<void> {
    let answeredAtMs = Date.now();
    let asked: ChildProcess | undefined;
    for (;;) {
      await delay(probeEveryMs, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      if (asked !== child) answeredAtMs = Date.now();
      asked = child;
      if (!isReady || hasEnded(child)) continue;
      try {
        await options.probe();
        answeredAtMs = Date.now();
      } catch (error) {
        const silentMs = Date.now() - answeredAtMs;
        const patienceMs = isRefused(error) ? refusedAfterMs : silentAfterMs;
        if (silentMs < patienceMs || asked !== child || stopping.signal.aborted) continue;
        log.error({ err: error, silentMs }, `${name} is running but not responding, and is stopped`);
        child.kill("SIGKILL");
      }
    }
  }

  async function watch(): Promise<void> {
    for (let deaths = 0; ; ) {
      await whenEnded(child);
      if (stopping.signal.aborted) return;
      deaths = Date.now() - startedAtMs > healthyAfterMs ? 1 : deaths + 1;
      const backoffMs = deaths === 1 ? 0 : Math.min(longestBackoffMs, 100 * 2 ** deaths);
      log.error(
        { signal: child.signalCode, code: child.exitCode, backoffMs, logFiles: options.logFiles },
        `${name} died and is being restarted`,
      );
      await delay(backoffMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      try {
        await startOnce();
        log.info({ pid: child.pid, tookMs: Date.now() - startedAtMs }, `${name} is back`);
      } catch (error) {
        if (!stopping.signal.aborted) log.error({ err: error }, `${name} could not be started`);
      }
    }
  }

  await startOnce();
  const watching = Promise.all([watch(), watchAnswers()]);
  return {
    pid: () => (hasEnded(child) ? undefined : child.pid),
    async stop(graceMs = defaultGraceMs) {
      stopping.abort();
      await end(child, options.stopSignal, graceMs);
      // A restart that was under way ends its own child when it sees the stop.
      await watching;
    },
  };
}

async function untilReady(child: ChildProcess, options: ChildOptions, stopping: AbortSignal): Promise<void> {
  const { name, probe, startWithinMs, logFiles } = options;
  let failure: Error | undefined;
  child.once("error", (error) => {
    failure = error;
  });
  const untilMs = Date.now() + startWithinMs;
  for (;;) {
    if (failure) throw failure;
    if (stopping.aborted) throw new Error(`${name} was stopped while starting`);
    if (hasEnded(child))
      throw new Error(
        `${name} ended while starting (${child.signalCode ?? `exit code ${child.exitCode}`}), see ${logFiles.join(" and ")}`,
      );
    try {
      return await probe();
    } catch (error) {
      if (Date.now() > untilMs)
        throw new Error(`${name} did not answer within ${startWithinMs} ms, see ${logFiles.join(" and ")}`, {
          cause: error,
        });
    }
    await delay(25);
  }
}

/** The service that started it is gone (the data folder's lock says so), but its child may still hold the data. */
async function endLeftover({ identityFile, stopSignal, name, log }: ChildOptions): Promise<void> {
  const kept = await readFile(identityFile, "utf8").catch(() => "");
  const identity = parseProcessIdentity(kept);
  if (identity === undefined) return;
  const outcome = await endProcess(identity, stopSignal, defaultGraceMs);
  if (outcome !== "absent") log.warn({ pid: identity.pid, outcome }, `stopped ${name} from an earlier run`);
}

async function end(child: ChildProcess, signal: NodeJS.Signals, graceMs: number): Promise<void> {
  if (hasEnded(child)) return;
  const ended = whenEnded(child);
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
  await ended;
  clearTimeout(timer);
}

/** Also for a child that could not even be started: that one has no pid. */
function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

function whenEnded(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (hasEnded(child)) resolve();
    else child.once("exit", () => resolve());
  });
}
