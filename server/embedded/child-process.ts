/** Keeps one child process alive: starts it, waits until it answers, starts it again with backoff when it dies. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";

export interface ChildOptions {
  name: string;
  start: () => ChildProcess;
  /** Rejects while the child does not answer yet. */
  probe: () => Promise<void>;
  /** How long a start may take, ms. */
  startWithinMs: number;
  stopSignal: NodeJS.Signals;
  log: Logger;
}

export interface KeptChild {
  pid(): number | undefined;
  /** Ends it with its signal, and after `graceMs` for good. */
  stop(graceMs?: number): Promise<void>;
}

const longestBackoffMs = 10_000;

/** Resolves when the child answers. Rejects when the first start fails; later deaths are logged and repaired. */
export async function keepChild(options: ChildOptions): Promise<KeptChild> {
  const { name, log } = options;
  let isStopping = false;
  let child = await startOnce(options);
  void watch();

  async function watch(): Promise<void> {
    for (let deaths = 0; !isStopping; ) {
      const startedAtMs = Date.now();
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      if (isStopping) return;
      deaths = Date.now() - startedAtMs > 60_000 ? 0 : deaths + 1;
      const backoffMs = deaths === 1 ? 0 : Math.min(longestBackoffMs, 100 * 2 ** deaths);
      log.error({ signal: child.signalCode, code: child.exitCode, backoffMs }, `${name} died and is started again`);
      await delay(backoffMs);
      if (isStopping) return;
      try {
        child = await startOnce(options);
        log.info({ pid: child.pid }, `${name} is back`);
      } catch (error) {
        log.error({ err: error }, `${name} could not be started`);
      }
    }
  }

  return {
    pid: () => child.pid,
    async stop(graceMs = 5_000) {
      isStopping = true;
      await endProcess(child, options.stopSignal, graceMs);
    },
  };
}

async function startOnce({ name, start, probe, startWithinMs }: ChildOptions): Promise<ChildProcess> {
  const child = start();
  let failure: unknown;
  child.once("error", (error) => {
    failure = error;
  });
  const untilMs = Date.now() + startWithinMs;
  for (;;) {
    if (failure) throw failure;
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`${name} ended while starting (${child.signalCode ?? `exit code ${child.exitCode}`})`);
    try {
      await probe();
      return child;
    } catch (error) {
      if (Date.now() > untilMs) {
        child.kill("SIGKILL");
        throw new Error(`${name} did not answer within ${startWithinMs} ms`, { cause: error });
      }
      await delay(25);
    }
  }
}

async function endProcess(child: ChildProcess, signal: NodeJS.Signals, graceMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
  await ended;
  clearTimeout(timer);
}
