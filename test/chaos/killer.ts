/** Ends processes with kill -9 at random moments, brings back what nobody else brings back, and measures the recoveries. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freeLoopbackPort } from "../../server/embedded/loopback.ts";
import {
  identifyProcess,
  isSameProcessRunning,
  type ProcessIdentity,
  parseProcessIdentity,
} from "../../server/process/process-identity.ts";
import type { TestService } from "../support/service.ts";
import { cutUnsynced } from "./power-cut.ts";

export type Victim = "server" | "clickhouse" | "postgres" | "redis";
export type Moment = "under load" | "while recovering" | "several at once" | "when idle";

export interface RedisServer {
  url: string;
  pid(): number | undefined;
  launch(): void;
  stop(): Promise<void>;
}

/** A Redis that keeps nothing on disk: a kill loses all of it. */
export async function startRedis(): Promise<RedisServer> {
  const port = await freeLoopbackPort();
  let child: ChildProcess | undefined;
  const launch = () => {
    child = spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], {
      stdio: "ignore",
    });
  };
  launch();
  return {
    url: `redis://127.0.0.1:${port}`,
    pid: () => (child && child.exitCode === null && child.signalCode === null ? child.pid : undefined),
    launch,
    async stop() {
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
  };
}

export interface KillFigures {
  /** By moment and victim. */
  kills: Map<Moment, Map<Victim, number>>;
  /** Bytes of the log that were not synced when the server was killed, and were taken away. */
  unsyncedBytes: number;
  /** Ends of the server that were not kills: a store died while it started. It is started again, as any supervisor does. */
  ownEnds: number;
  /** From the last kill until what was sent after it could be queried, ms. */
  recoveriesMs: number[];
}

export interface KillerOptions {
  service: TestService;
  redis: RedisServer | undefined;
  /** What the ledger's newest verdict said, ms since 1970. */
  watermarkMs: () => number;
  /** Stops and goes on sending; `rest` resolves when nothing is under way and everything can be queried. */
  rest: () => Promise<void>;
  wake: () => void;
  recoverWithinMs: number;
}

const momentShares: readonly [Moment, number][] = [
  ["under load", 0.15],
  ["while recovering", 0.6],
  ["several at once", 0.22],
  ["when idle", 0.03],
];

export class Killer {
  readonly figures: KillFigures = { kills: new Map(), unsyncedBytes: 0, ownEnds: 0, recoveriesMs: [] };
  readonly #options: KillerOptions;
  #lastKillAtMs = Date.now();
  #hasRecovered = true;

  constructor(options: KillerOptions) {
    this.#options = options;
  }

  /** Kills until `kills` processes have been killed, then waits for the last recovery. */
  async run(kills: number): Promise<void> {
    for (let done = 0; done < kills; ) {
      const moment = randomMoment();
      await this.#await(moment);
      const victims = this.#choose(moment === "several at once" ? 2 + Math.floor(Math.random() * 2) : 1);
      done += await this.#kill(victims.slice(0, kills - done), moment);
      if (moment === "when idle") this.#options.wake();
    }
    await this.#recovery();
  }

  async #await(moment: Moment): Promise<void> {
    if (moment === "while recovering") {
      await delay(Math.random() * 2_000);
      return;
    }
    await this.#recovery();
    if (moment === "when idle") await this.#options.rest();
    // Random on purpose: kills must land in every step of a batch's way.
    await delay(Math.random() * 400);
  }

  #choose(count: number): Victim[] {
    const all: Victim[] = ["server", "clickhouse", "postgres"];
    if (this.#options.redis) all.push("redis");
    return all
      .map((victim) => ({ victim, order: Math.random() }))
      .sort((a, b) => a.order - b.order)
      .slice(0, count)
      .map(({ victim }) => victim);
  }

  /** Answers how many of the victims were alive. */
  async #kill(victims: readonly Victim[], moment: Moment): Promise<number> {
    const { service, redis } = this.#options;
    const found = await Promise.all(
      victims.map(async (victim) => ({ victim, identity: await this.#identify(victim) })),
    );
    const alive = found.filter(
      (one): one is { victim: Victim; identity: ProcessIdentity } => one.identity !== undefined,
    );
    const ended = alive.some(({ victim }) => victim === "server") ? service.stopServer("SIGKILL") : undefined;
    for (const { victim, identity } of alive) if (victim !== "server") process.kill(identity.pid, "SIGKILL");
    if (alive.length > 0) {
      this.#lastKillAtMs = Date.now();
      this.#hasRecovered = false;
    }
    if (ended) {
      await ended;
      this.figures.unsyncedBytes += await cutUnsynced(service.dataDir);
      service.launchServer();
    }
    if (alive.some(({ victim }) => victim === "redis")) {
      while (redis?.pid() !== undefined) await delay(5);
      redis?.launch();
    }
    const counts = this.figures.kills.get(moment) ?? new Map<Victim, number>();
    this.figures.kills.set(moment, counts);
    for (const { victim } of alive) counts.set(victim, (counts.get(victim) ?? 0) + 1);
    return alive.length;
  }

  async #identify(victim: Victim): Promise<ProcessIdentity | undefined> {
    const { service, redis } = this.#options;
    if (victim === "server") return service.isServerRunning() ? identifyProcess(service.pid()) : undefined;
    if (victim === "redis") {
      const pid = redis?.pid();
      return pid === undefined ? undefined : identifyProcess(pid);
    }
    const identity = parseProcessIdentity(
      await readFile(join(service.dataDir, victim, "process.json"), "utf8").catch(() => ""),
    );
    return identity && isSameProcessRunning(identity) ? identity : undefined;
  }

  /** Resolves when what was sent after the last kill can be queried. */
  async #recovery(): Promise<void> {
    const { service, watermarkMs, recoverWithinMs } = this.#options;
    while (watermarkMs() <= this.#lastKillAtMs) {
      if (!service.isServerRunning()) {
        this.figures.ownEnds++;
        const output = service.output();
        if (Date.now() - this.#lastKillAtMs > recoverWithinMs)
          throw new Error(`the service does not start:\n${output}`);
        this.figures.unsyncedBytes += await cutUnsynced(service.dataDir);
        service.launchServer();
      }
      if (Date.now() - this.#lastKillAtMs > recoverWithinMs)
        throw new Error(`nothing new could be queried within ${recoverWithinMs} ms of a kill:\n${service.output()}`);
      await delay(20);
    }
    if (!this.#hasRecovered) this.figures.recoveriesMs.push(Date.now() - this.#lastKillAtMs);
    this.#hasRecovered = true;
  }
}

function randomMoment(): Moment {
  let at = Math.random();
  for (const [moment, share] of momentShares) {
    if (at < share) return moment;
    at -= share;
  }
  return "under load";
}
