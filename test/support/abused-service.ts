/** A whole service with two tenants that know nothing of each other: one who does its worst, and a bystander. */
import type { Bystander } from "./bystander.ts";
import { startService, type TestService } from "./service.ts";
import { ownClickHouse, ownPostgres, urlOf } from "./stores.ts";

export interface AbusedService {
  service: TestService;
  /** Whose tenant is `reseller:loud`; its key may do everything there but see prices. */
  attacker: { key: string; node: string };
  /** A key that only reads, of `reseller:quiet`. */
  bystander: Bystander;
  /** Asks as `key`, by default the attacker's, with `body` as JSON where there is one. */
  ask(
    path: string,
    options?: { key?: string; method?: string; body?: unknown; signal?: AbortSignal },
  ): Promise<Response>;
  /** Takes events with the attacker's key and resolves when they can be queried. */
  store(events: readonly object[]): Promise<void>;
  stop(): Promise<void>;
}

/** On stores that other test files share, with a database of its own in each. */
export async function startAbusedService(environment: Record<string, string> = {}): Promise<AbusedService> {
  const [clickhouse, postgres] = await Promise.all([ownClickHouse(), ownPostgres()]);
  const service = await startService({ CLICKHOUSE_URL: urlOf(clickhouse), DATABASE_URL: postgres.url, ...environment });

  const ask: AbusedService["ask"] = (path, { key = attacker.key, method = "GET", body, signal } = {}) =>
    fetch(new URL(path, service.url), {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
  const made = async (path: string, body: object): Promise<unknown> => {
    const answer = await ask(path, { key: service.rootKey, method: "POST", body });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
    return await answer.json();
  };
  const keyOf = async (node: string, scopes: string[]) => {
    const key = await made("/v1/keys", { name: node, node, scopes, create_organizations: scopes.includes("ingest") });
    return (key as { key: string }).key;
  };
  const attacker = { key: "", node: "reseller:loud" };
  await made("/v1/nodes", { kind: "reseller", id: "loud", name: "Loud" });
  await made("/v1/nodes", { kind: "reseller", id: "quiet", name: "Quiet" });
  attacker.key = await keyOf("reseller:loud", ["ingest", "read", "admin"]);
  const bystander: Bystander = {
    url: service.url,
    key: await keyOf("reseller:quiet", ["read"]),
    get pid() {
      return service.pid();
    },
  };
  return {
    service,
    attacker,
    bystander,
    ask,
    async store(events) {
      for (let start = 0; start < events.length; start += 10_000) {
        const body = events.slice(start, start + 10_000);
        const answer = await ask("/v1/events?ack=stored", { method: "POST", body });
        const verdict = (await answer.json()) as { rejected?: unknown[] };
        if (!answer.ok || verdict.rejected?.length !== 0)
          throw new Error(`events were answered ${answer.status}: ${JSON.stringify(verdict).slice(0, 500)}`);
      }
    },
    async stop() {
      await service.stop();
      await Promise.all([clickhouse.drop(), postgres.drop()]);
    },
  };
}
