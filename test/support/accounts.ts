/** The routes of accounts behind a real HTTP server. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { type Logger, pino } from "pino";
import type { AddressRanges } from "../../server/address-ranges.ts";
import type { ClickHouse } from "../../server/clickhouse/client.ts";
import type { KeyScope } from "../../server/contract/accounts.ts";
import { applyFoundation, createRouter } from "../../server/http/app-pieces.ts";
import { attachActor, createAuthenticator } from "../../server/http/authenticate.ts";
import { keyedTags } from "../../server/http/entity-tag.ts";
import type { HttpEnv } from "../../server/http/http-env.ts";
import { idempotent } from "../../server/http/idempotency.ts";
import { accountRoutes } from "../../server/http/routes/account.ts";
import { auditRoutes } from "../../server/http/routes/audit.ts";
import { keysRoutes } from "../../server/http/routes/keys.ts";
import { nodesRoutes } from "../../server/http/routes/nodes.ts";
import { offersRoutes } from "../../server/http/routes/offers.ts";
import { oidcRoutes } from "../../server/http/routes/oidc.ts";
import { passkeysRoutes } from "../../server/http/routes/passkeys.ts";
import { signInRoutes } from "../../server/http/routes/sign-in.ts";
import { systemRoutes } from "../../server/http/routes/system.ts";
import { usersRoutes } from "../../server/http/routes/users.ts";
import { createKeys, type Keys } from "../../server/identity/keys.ts";
import type { Oidc } from "../../server/identity/oidc.ts";
import { createPasskeys } from "../../server/identity/passkeys.ts";
import { createSignInSessions, type SignInSessions } from "../../server/identity/sign-in-sessions.ts";
import { createUsers, type Users } from "../../server/identity/users.ts";
import type { Mailer } from "../../server/mail/mailer.ts";
import { connectPostgres, type Postgres } from "../../server/postgres/client.ts";
import { migratePostgres } from "../../server/postgres/migrate.ts";
import { NodeTree } from "../../server/tree/node-tree.ts";
import { ownPostgres } from "./stores.ts";

export interface Asked {
  key?: string | undefined;
  /** The value of the session cookie. */
  session?: string | undefined;
  body?: unknown;
  headers?: Record<string, string>;
}

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the tests are about
  body: any;
}

export type Ask = (method: string, path: string, asked?: Asked) => Promise<Answer>;

export interface Accounts {
  app: OpenAPIHono<HttpEnv>;
  /** Without a slash at its end. */
  url: string;
  databaseUrl: string;
  postgres: Postgres;
  tree: NodeTree;
  keys: Keys;
  users: Users;
  signInSessions: SignInSessions;
  rootKey: string;
  ask: Ask;
  makeKey(node: string, scopes?: KeyScope[]): Promise<{ id: string; key: string }>;
  close(): Promise<void>;
}

export const adminEmail = "Admin@Example.com";
export const adminPassword = "correct horse battery";

interface AccountsOptions {
  /** The clock that keys and sessions go by. */
  now?: () => number;
  log?: Logger;
  mailer?: Mailer;
  oidc?: (url: string) => Oidc;
  isTrustedProxy?: AddressRanges;
}

/** On a database of their own, which goes with them. */
export async function ownAccounts(options?: AccountsOptions): Promise<Accounts> {
  const database = await ownPostgres();
  const accounts = await startAccounts(database.url, options);
  return {
    ...accounts,
    async close() {
      await accounts.close();
      await database.drop();
    },
  };
}

export async function startAccounts(
  databaseUrl: string,
  { now, log = pino({ level: "silent" }), mailer, oidc, isTrustedProxy }: AccountsOptions = {},
): Promise<Accounts> {
  const postgres = connectPostgres(databaseUrl);
  await migratePostgres(postgres);
  const tree = await NodeTree.load(postgres, log);
  const keys = createKeys(postgres, log, now);
  const users = createUsers({ postgres, tree }, { now });
  const signInSessions = createSignInSessions(postgres, log, now);
  const rootKey = "root-key-of-this-test";
  await keys.ensureRootKey(rootKey);
  await users.ensureAdmin({ email: adminEmail, password: adminPassword });

  const app = createRouter();
  applyFoundation(app, { log, ...(isTrustedProxy && { isTrustedProxy }) });
  app.use("/v1/*", attachActor(createAuthenticator({ keys, signInSessions, tree })));
  app.use("/v1/*", keyedTags(postgres));
  app.use("/v1/*", idempotent({ postgres, tree, ...(now && { now }) }));
  app.route("/", signInRoutes({ users, signInSessions }));
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const publicUrl = "https://usage.example.com";
  const passkeys = createPasskeys({ postgres, publicUrl, log }, now);
  const provider = oidc?.(url);
  app.route("/", oidcRoutes({ oidc: provider, passkeys, users, signInSessions, publicUrl: url, log }));
  const mailing = { mailer, publicUrl, log };
  app.route(
    "/",
    passkeysRoutes({ passkeys, users, signInSessions, providerName: provider?.name, ...mailing, ...(now && { now }) }),
  );
  app.route("/", accountRoutes({ postgres, users, signInSessions, mailer, publicUrl, log }));
  app.route("/", offersRoutes({ postgres, signInSessions, ...(now && { now }) }));
  app.route("/", usersRoutes({ postgres, tree, signInSessions, mailer, publicUrl, log, ...(now && { now }) }));
  // No event has named an agent.
  const clickhouse = { select: async () => [] } as unknown as ClickHouse;
  app.route("/", nodesRoutes({ tree, postgres, clickhouse }));
  app.route("/", keysRoutes({ keys, tree }));
  app.route(
    "/",
    auditRoutes({
      postgres,
      tree,
      clickhouse: {
        selectFrom: () => {
          throw new Error("there is no ClickHouse here");
        },
      },
    }),
  );
  const askPostgres = async () => {
    await postgres.pool.query("SELECT 1");
  };
  app.route("/", systemRoutes({ root: app, checks: { postgres: askPostgres } }));
  server.on("request", getRequestListener(app.fetch));

  return {
    app,
    url,
    databaseUrl,
    postgres,
    tree,
    keys,
    users,
    signInSessions,
    rootKey,
    ask: askAt(url),
    async makeKey(node, scopes = ["ingest", "read", "admin"]) {
      const { record, key } = await keys.create({
        name: node,
        node,
        scopes,
        createOrganizations: true,
        seePrices: scopes.includes("admin"),
        expiresAt: null,
        createdBy: "usr_test",
      });
      return { id: record.id, key };
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await keys.close();
      await signInSessions.close();
      await tree.close();
      await postgres.close();
    },
  };
}

/** Asks the server at `url`, which has no slash at its end. */
export function askAt(url: string): Ask {
  return async (method, path, { key, session, body, headers } = {}) => {
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
        ...(session !== undefined && { cookie: `tidemark_session=${session}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /\bjson\b/.test(response.headers.get("content-type") ?? "");
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
  };
}
