/** The OpenAPI document of every route there is, whatever the roles: made without stores, since nothing is asked of them. */
import { pino } from "pino";
import { type AppDeps, createApp } from "../../server/http/app.ts";
import { type ApiDocument, describeApi } from "../../server/http/describe-api.ts";

/** Answers every property and every call with itself. */
const anything: unknown = new Proxy(() => undefined, {
  get: (_, name) => (name === Symbol.toPrimitive ? () => "anything" : anything),
  apply: () => anything,
});

export const describedApi = (): ApiDocument => describeApi(everyRoute());

export function everyRoute(): ReturnType<typeof createApp> {
  const deps = {
    ...Object.fromEntries(
      [
        "clickhouse",
        "postgres",
        "tree",
        "keys",
        "users",
        "sessions",
        "authenticator",
        "ingest",
        "changedNodes",
        "cluster",
        "corrections",
        "customMeters",
        "questions",
        "telemetry",
      ].map((name) => [name, anything]),
    ),
    eventType: () => undefined,
    watermark: () => new Date(),
    settledBatch: () => 0,
    isTrustedProxy: () => false,
    publicUrl: "http://localhost:8080",
    paymentKeys: [],
    roles: new Set(["ingest", "api", "worker"]),
    log: pino({ level: "silent" }),
  } as unknown as AppDeps;
  return createApp(deps);
}
