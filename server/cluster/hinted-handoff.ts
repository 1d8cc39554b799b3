/**
 * Hinted handoff: events that were accepted here for a node that could not be reached. There is a log for each such node,
 * delivered in order as soon as that node, or whichever owns the organizations by then, takes the events. Delivering an
 * event again is harmless: its owner knows its id.
 */
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { logRefusal } from "../ingest/accept/accept-request.ts";
import { type BatchFiles, batchFiles } from "../ingest/flush/seal-batch.ts";
import { createPendingGroups } from "../ingest/flush/unsettled.ts";
import { type LogPosition, openWriteAheadLog, type WriteAheadLog } from "../ingest/log/write-ahead-log.ts";
import { parseSent, renderSent, type SentEvents } from "./route-events.ts";

export interface HintedHandoffOptions {
  directory: string;
  maxBytes: number;
  onFatal: (error: Error) => void;
  deliver: (sent: SentEvents) => Promise<void>;
  /**
   * Up to when everything in the other nodes' own logs can be queried, by their last heartbeats. Their watermarks would not
   * do: those wait for hinted events of their own, and two nodes that hold events for each other would wait for ever.
   */
  storedByOthersUntilMs: () => number;
  log: Logger;
}

export interface HintedHandoff {
  /** Resolves when they are on disk. Throws ProblemError. */
  append(node: string, sent: SentEvents): Promise<void>;
  /** When the oldest was received, ms since 1970, that no other node answers for yet; undefined when there is none. */
  oldestAtMs(): number | undefined;
  /** Whether everything was delivered. */
  readonly isEmpty: boolean;
  /** Delivers for at most `graceMs` more; what waits then stays on disk and is delivered after the next start. */
  stop(graceMs: number): Promise<void>;
}

interface Waiting {
  log: WriteAheadLog;
  files: BatchFiles;
  groups: ReturnType<typeof createPendingGroups>;
  settled: LogPosition | null;
  /** What was delivered when; it counts here until the heartbeats show that it is stored. */
  delivered: { end: LogPosition; atMs: number }[];
  /** Something was logged since it was last read. */
  hasUndelivered: boolean;
  delivering: Promise<void> | undefined;
}

const retryMs = 200;

/** Opens what an earlier process left, and goes on with it. */
export async function openHintedHandoff(options: HintedHandoffOptions): Promise<HintedHandoff> {
  const { directory } = options;
  const stopped = new AbortController();
  const deliverSoon = createDelivering(options, stopped.signal);
  const waiting = new Map<string, Promise<Waiting>>();
  const opened: Waiting[] = [];

  async function open(node: string): Promise<Waiting> {
    const folder = join(directory, node);
    await mkdir(folder, { recursive: true });
    const log = await openWriteAheadLog({
      directory: join(folder, "log"),
      maxBytes: options.maxBytes,
      onFatal: options.onFatal,
    });
    const files = batchFiles(folder);
    const { settled } = await files.readProgress();
    if (settled) await log.removeBefore(settled);
    let oldestMs: number | undefined;
    for await (const { payload } of log.read(settled)) {
      oldestMs = parseSent(payload).by.firstReceivedMs;
      break;
    }
    const groups = createPendingGroups(log, oldestMs, Date.now);
    const one: Waiting = { log, files, groups, settled, delivered: [], hasUndelivered: true, delivering: undefined };
    opened.push(one);
    log.onSynced(() => deliverSoon(node, one));
    deliverSoon(node, one);
    return one;
  }

  function waitingFor(node: string): Promise<Waiting> {
    const existing = waiting.get(node);
    if (existing) return existing;
    const opening = open(node);
    waiting.set(node, opening);
    opening.catch(() => waiting.delete(node));
    return opening;
  }

  await mkdir(directory, { recursive: true });
  for (const node of await readdir(directory)) await waitingFor(node);
  return {
    async append(node, sent) {
      try {
        await (await waitingFor(node)).log.append(renderSent(sent));
      } catch (error) {
        throw logRefusal(error);
      }
    },
    get isEmpty() {
      return opened.every(({ log }) => log.backlogBytes === 0);
    },
    oldestAtMs() {
      const storedMs = options.storedByOthersUntilMs();
      for (const { delivered, groups } of opened)
        for (let next = delivered[0]; next && next.atMs <= storedMs; next = delivered[0]) {
          groups.settledThrough(next.end);
          delivered.shift();
        }
      const times = opened.flatMap(({ groups }) => groups.oldestAtMs() ?? []);
      return times.length > 0 ? Math.min(...times) : undefined;
    },
    async stop(graceMs) {
      const delivered = Promise.all(opened.map(({ delivering }) => delivering?.catch(() => undefined)));
      await Promise.race([delivered, delay(graceMs, undefined, { ref: false })]);
      stopped.abort();
      for (const one of opened) {
        await one.delivering?.catch(() => undefined);
        one.groups.close();
        await one.log.close();
      }
    },
  };
}

/** Delivers what waits for a node, in the order in which it came, until there is nothing more or `stopped` is aborted. */
function createDelivering({ deliver, log }: Pick<HintedHandoffOptions, "deliver" | "log">, stopped: AbortSignal) {
  function deliverSoon(node: string, one: Waiting): void {
    one.hasUndelivered = true;
    one.delivering ??= deliverAll(node, one).finally(() => {
      one.delivering = undefined;
    });
  }

  async function deliverAll(node: string, one: Waiting): Promise<void> {
    while (one.hasUndelivered && !stopped.aborted) {
      one.hasUndelivered = false;
      for await (const { payload, end } of one.log.read(one.settled)) {
        await untilDelivered(node, parseSent(payload));
        if (stopped.aborted) return;
        await one.files.writeProgress({ settled: end, sequence: 0 });
        one.settled = end;
        one.delivered.push({ end, atMs: Date.now() });
        await one.log.removeBefore(end);
      }
    }
  }

  /** By hand, because `p-retry` gives up at a TypeError, and what waits here must be delivered whatever went wrong. */
  async function untilDelivered(node: string, sent: SentEvents): Promise<void> {
    for (let attempt = 0; !stopped.aborted; attempt++) {
      try {
        return await deliver(sent);
      } catch (err) {
        if (attempt === 0) log.warn({ err, node }, "events wait here until the node that owns them can take them");
        await delay(retryMs, undefined, { signal: stopped }).catch(() => undefined);
      }
    }
  }

  return deliverSoon;
}
