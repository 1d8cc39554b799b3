/**
 * The HTTP server from the first moment to the last: it listens before the stores are there, so that /livez and /readyz say
 * what is waited for, and goes on answering after it was told to end, until whoever routes to it has seen that.
 */
import type { RequestListener, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { getRequestListener } from "@hono/node-server";
import type { Logger } from "pino";
import type { Config } from "../config.ts";
import type { Waits } from "../health/await-store.ts";
import { ProblemError } from "../problem.ts";
import { applyFoundation, createRouter } from "./app-pieces.ts";
import { createHttpServer } from "./http-server.ts";
import { systemRoutes } from "./routes/system.ts";

export interface Serving {
  server: Server;
  /** Where the dashboard is. */
  url: string;
  readonly isStopping: boolean;
  /** Answers requests with this application from now on. */
  answerWith(listener: RequestListener): void;
  /** /readyz says that the process is about to end, connections are closed after their next answer; resolves when it is time. */
  drain(ms: number): Promise<void>;
  /** Requests that run are answered; connections without one are closed. */
  close(): Promise<void>;
}

const startRetrySeconds = 2;

/** Listens. Rejects when it cannot. */
export async function serve(
  { host, port, isTrustedProxy }: Pick<Config, "host" | "port" | "isTrustedProxy">,
  waits: Waits,
  log: Logger,
): Promise<Serving> {
  const server = createHttpServer(isTrustedProxy);
  let listener: RequestListener = getRequestListener(startingApp(waits, log).fetch);
  let isStopping = false;
  server.on("request", (request, response) => {
    if (isStopping) response.setHeader("connection", "close");
    listener(request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const shown = host === "0.0.0.0" || host === "::" ? "localhost" : host;
  return {
    server,
    url: `http://${shown}:${(server.address() as AddressInfo).port}`,
    get isStopping() {
      return isStopping;
    },
    answerWith(next) {
      listener = next;
    },
    async drain(ms) {
      isStopping = true;
      await delay(ms);
    },
    close: () =>
      new Promise((resolve) => {
        isStopping = true;
        server.close(() => resolve());
        server.closeIdleConnections();
        setTimeout(() => server.closeAllConnections(), 2_000).unref();
      }),
  };
}

/** The answer while the service starts. */
function startingApp(waits: Waits, log: Logger) {
  const app = createRouter();
  applyFoundation(app, { log });
  const words = () => [...waits.values()].join("; ") || "the service is starting";
  const probes = ["Postgres", "ClickHouse", "Redis"] as const;
  const checks = Object.fromEntries(
    probes.map((name) => {
      const probe = async () => {
        const wait = waits.get(name);
        if (wait) throw new Error(wait);
      };
      return [name.toLowerCase(), probe];
    }),
  );
  const start = async () => {
    throw new Error(words());
  };
  app.route("/", systemRoutes({ root: app, checks: { ...checks, start } }));
  app.all("*", () => {
    throw new ProblemError("store_unavailable", `not ready yet: ${words()}`, { retryAfterSeconds: startRetrySeconds });
  });
  return app;
}
