/** What each part of the service is started with. */
import type { Logger } from "pino";
import type { Config } from "../config.ts";

/** Why the process must end: its log failed, or another process has taken its place. */
export type OnFatal = (error: Error) => void;

export interface Boot {
  config: Config;
  log: Logger;
  onFatal: OnFatal;
  /** How to stop what has started; run in the reverse order. */
  started: (() => Promise<void>)[];
}

/** Who watches by sockets of this process: known once the gateway is there, notified from the first event on. */
export interface Viewers {
  announce: (nodes: Iterable<string>) => void;
  count: () => number;
}
