/**
 * Every command of the compose file with its environment, against real servers: only addresses, ports and folders are those of
 * this machine instead of containers.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { freeLoopbackPort } from "../../server/embedded/loopback.ts";
import { readCompose } from "../support/compose-file.ts";
import { eventually } from "../support/service.ts";
import { type OwnClickHouse, ownClickHouse } from "../support/stores.ts";

const run = promisify(execFile);
/** What a generator of passwords may make, and what would end a URL or a shell's word. */
const password = `p@ss:w/ord#?%&"' \`$x+=`;
const rootKey = "the-root-key-of-composed-services";
let folder: string;
let redis: ChildProcess;
let redisPort: number;
const children: ChildProcess[] = [];

const here = (text: string) => text.replaceAll("/run/secrets/", `${folder}/secrets/`);
const shell = (words: readonly string[]) => {
  const [kind, ...rest] = words;
  return kind === "CMD-SHELL" ? ["sh", "-c", ...rest] : (words as string[]);
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tidemark-compose-"));
  await mkdir(join(folder, "secrets"));
  await writeFile(join(folder, "secrets", "redis_password"), `${password}\n`);
  await writeFile(join(folder, "secrets", "postgres_password"), `${password}\n`);
  await writeFile(join(folder, "secrets", "clickhouse_password"), `${inject("clickhouse").password}\n`);
  redisPort = await freeLoopbackPort();
});
afterAll(async () => {
  for (const child of [...children, redis])
    if (child && child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
  await rm(folder, { recursive: true, force: true });
});

const redisHealth = () => {
  const [command, ...args] = shell(readCompose({}).services.redis?.healthcheck?.test ?? []).map((word) =>
    here(word).replace("redis-cli ", `redis-cli -p ${redisPort} `),
  );
  return run(command as string, args).then(
    () => "healthy",
    () => "unhealthy",
  );
};

test("Redis starts with its password from a file, and its check fails while it is not there or has another password", async () => {
  expect(await redisHealth()).toBe("unhealthy");
  const [command, ...args] = (readCompose({}).services.redis?.command ?? []).map(here);
  const local = `--port ${redisPort} --bind 127.0.0.1 --dir ${folder}`;
  redis = spawn(command as string, [...args.slice(0, -1), `${args.at(-1)} ${local}`], { stdio: "ignore" });
  await eventually("Redis is healthy", async () => ((await redisHealth()) === "healthy" ? true : undefined));
  await writeFile(join(folder, "secrets", "redis_password"), "another\n");
  expect(await redisHealth()).toBe("unhealthy");
  await writeFile(join(folder, "secrets", "redis_password"), `${password}\n`);
  expect(await redisHealth()).toBe("healthy");
});

/** A database and a role of its own, whose password only the file has. */
async function freshPostgres(name: string): Promise<string> {
  const client = new pg.Client({ connectionString: inject("postgresUrl") });
  await client.connect();
  try {
    await client.query(`CREATE ROLE ${name} LOGIN PASSWORD ${client.escapeLiteral(password)}`);
    await client.query(`CREATE DATABASE ${name} OWNER ${name}`);
  } finally {
    await client.end();
  }
  const { hostname, port } = new URL(inject("postgresUrl"));
  return `postgres://${name}@${hostname}:${port}/${name}`;
}

/** As the image starts it, from the build when there is one. */
function entry(): string[] {
  const built = fileURLToPath(new URL("../../dist/server/main.js", import.meta.url));
  if (existsSync(built)) return ["--enable-source-maps", built];
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  return ["--import", tsx, fileURLToPath(new URL("../../server/main.ts", import.meta.url))];
}

const ways: { profile: string; names: string[]; given: Record<string, string>; takes: string; answers: string }[] = [
  { profile: "one process", names: ["tidemark"], given: {}, takes: "tidemark", answers: "tidemark" },
  {
    profile: "the profile cluster",
    names: ["tidemark", "tidemark-two"],
    given: { TIDEMARK_CLUSTER_SECRET: `of-all-the-nodes-${"x".repeat(32)}` },
    takes: "tidemark-two",
    answers: "tidemark",
  },
  { profile: "the profile split", names: ["ingest", "api", "worker"], given: {}, takes: "ingest", answers: "api" },
];

describe.each(ways)("$profile of the compose file", ({ profile, names, given, takes, answers }) => {
  const urls = new Map<string, string>();
  const printed = new Map<string, string>();
  let clickhouse: OwnClickHouse;

  beforeAll(async () => {
    clickhouse = await ownClickHouse();
    const { url, username, database } = clickhouse.connection;
    for (const name of names) urls.set(name, `http://127.0.0.1:${await freeLoopbackPort()}`);
    const settings: Record<string, string> = {
      ...given,
      CLICKHOUSE_URL: url.replace("://", `://${username}@`).replace(/\/?$/, `/${database}`),
      DATABASE_URL: await freshPostgres(`composed_${names.length}_${Date.now()}`),
      REDIS_URL: `redis://127.0.0.1:${redisPort}/${names.length}`,
      TIDEMARK_ROOT_KEY: rootKey,
      TIDEMARK_DRAIN_SECONDS: "0",
      LOG_LEVEL: "warn",
    };
    const compose = readCompose(settings);
    for (const name of names) {
      const environment = Object.fromEntries(
        Object.entries(compose.services[name]?.environment ?? {}).map(([setting, text]) => [
          setting,
          names.reduce((value, other) => value.replace(`http://${other}:8080`, urls.get(other) ?? ""), here(text)),
        ]),
      );
      const child = spawn(process.execPath, entry(), {
        stdio: ["ignore", "pipe", "pipe"],
        env: {
          PATH: process.env.PATH,
          ...environment,
          HOST: "127.0.0.1",
          PORT: new URL(urls.get(name) as string).port,
          TIDEMARK_DATA_DIR: join(folder, profile, name),
        },
      });
      children.push(child);
      for (const stream of [child.stdout, child.stderr])
        stream?.on("data", (chunk) => printed.set(name, (printed.get(name) ?? "") + chunk));
    }
  });
  afterAll(async () => {
    for (const child of children.splice(0)) {
      const ended = once(child, "exit");
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGTERM");
      await ended;
    }
    await clickhouse?.drop();
  });

  const ask = async (name: string, path: string, body?: object) => {
    const answer = await fetch(`${urls.get(name)}${path}`, {
      method: body ? "POST" : "GET",
      headers: { authorization: `Bearer ${rootKey}`, "content-type": "application/json" },
      body: body && JSON.stringify(body),
    });
    return { status: answer.status, body: (await answer.json()) as never };
  };

  test("every service of it becomes ready, and events that one takes another answers", async () => {
    for (const name of names)
      await eventually(
        `${name} is ready`,
        async () => ((await ask(name, "/readyz").catch(() => undefined))?.status === 200 ? true : undefined),
        120_000,
      ).catch((error: Error) => {
        throw new Error(`${error.message}\n${printed.get(name)}`);
      });
    const event = { id: "1", type: "call.completed", organization: "acme", seconds: 60, time: "2026-03-01T00:00:00Z" };
    expect(await ask(takes, "/v1/events?ack=stored", event)).toMatchObject({ status: 200, body: { accepted: 1 } });
    const question = "/v1/usage?meter=call_minutes&node=organization:acme&from=2026-03-01&to=2026-03-02";
    await eventually("the other process knows the new organization", async () => {
      const { status, body } = await ask(answers, question);
      if (status !== 200) return undefined;
      expect(body).toMatchObject({ meters: [{ total: "1" }] });
      return true;
    });
  });
});
