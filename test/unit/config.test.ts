import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ConfigError, loadConfig } from "../../server/config.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tidemark-config-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(content: string): string {
  const path = join(folder, `secret-${Math.random().toString(36).slice(2)}`);
  writeFileSync(path, content);
  return path;
}

function faultsOf(environment: Record<string, string>): readonly string[] {
  try {
    loadConfig(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

test("without settings the service is on this machine alone, with everything embedded and every role", () => {
  const config = loadConfig({});
  expect(config).toMatchObject({
    port: 8080,
    host: "127.0.0.1",
    dataDir: resolve(".data"),
    rootKey: undefined,
    adminPassword: undefined,
    clickhouseUrl: undefined,
    databaseUrl: undefined,
    redisUrl: undefined,
    reportsMaxBytes: 10 * 1024 ** 3,
    walMaxBytes: 4 * 1024 ** 3,
    logLevel: "info",
  });
  expect([...config.roles].sort()).toEqual(["api", "ingest", "worker"]);
});

test("the proxies whose headers are believed are those that are named, by default none", () => {
  const isTrusted = (text?: string) => loadConfig(text ? { TIDEMARK_TRUSTED_PROXIES: text } : {}).isTrustedProxy;
  expect(isTrusted()("127.0.0.1")).toBe(false);
  expect(["10.9.9.9", "::1", "203.0.113.5"].map(isTrusted("10.0.0.0/8, ::1"))).toEqual([true, true, false]);
  expect(faultsOf({ TIDEMARK_TRUSTED_PROXIES: "10.0.0.0/8 proxy" })).toEqual([
    expect.stringContaining("TIDEMARK_TRUSTED_PROXIES must be addresses and CIDR ranges"),
  ]);
});

test("beside public addresses only the named ones may be reached, by default none", () => {
  const { outgoingAllow } = loadConfig({ TIDEMARK_OUTGOING_ALLOW: "hooks.internal:9000, 10.1.0.0/16, ::1" });
  expect([outgoingAllow.host("hooks.internal", 9000), outgoingAllow.host("hooks.internal", 80)]).toEqual([true, false]);
  expect(["10.1.2.3", "::1", "10.2.0.1"].map(outgoingAllow.address)).toEqual([true, true, false]);
  expect(loadConfig({}).outgoingAllow.address("10.1.2.3")).toBe(false);
  expect(faultsOf({ TIDEMARK_OUTGOING_ALLOW: "http://hooks.internal/" })).toEqual([
    expect.stringContaining("TIDEMARK_OUTGOING_ALLOW must be hosts, addresses and CIDR ranges"),
  ]);
});

test("what schedules send is put into a folder or a bucket that is named with its keys, by default nowhere", () => {
  expect(loadConfig({ AWS_ENDPOINT_URL: "of another program" }).reportsBucket).toBeUndefined();
  const bucketOf = (more: Record<string, string>) => loadConfig(more).reportsBucket;
  expect(bucketOf({ TIDEMARK_REPORTS_BUCKET: "/var/reports/" })).toEqual({ kind: "folder", path: "/var/reports" });
  const keys = { AWS_ACCESS_KEY_ID: "A", AWS_SECRET_ACCESS_KEY: "s" };
  expect(bucketOf({ TIDEMARK_REPORTS_BUCKET: "s3://kept/of/us/", ...keys })).toEqual({
    kind: "s3",
    bucket: "kept",
    prefix: "of/us/",
    endpoint: undefined,
    region: "us-east-1",
    credentials: { accessKeyId: "A", secretAccessKey: "s" },
  });
  const more = { AWS_SESSION_TOKEN: "t", AWS_REGION: "eu-west-1", AWS_ENDPOINT_URL: "http://minio:9000" };
  expect(bucketOf({ TIDEMARK_REPORTS_BUCKET: "s3://kept", ...keys, ...more })).toMatchObject({
    prefix: "",
    endpoint: "http://minio:9000",
    region: "eu-west-1",
    credentials: { sessionToken: "t" },
  });
  for (const place of ["reports", "./reports", "s3://", "s3:///x", "S3://A", "https://x"])
    expect(faultsOf({ TIDEMARK_REPORTS_BUCKET: place }), place).toEqual([
      expect.stringContaining("TIDEMARK_REPORTS_BUCKET must be an absolute path or s3://bucket/prefix"),
    ]);
  expect(faultsOf({ TIDEMARK_REPORTS_BUCKET: "s3://kept", AWS_ENDPOINT_URL: "minio:9000" })).toEqual([
    expect.stringContaining("AWS_ACCESS_KEY_ID must be set"),
    expect.stringContaining("AWS_SECRET_ACCESS_KEY must be set"),
    expect.stringContaining("AWS_ENDPOINT_URL must be a URL"),
  ]);
});

test("a provider of SMS needs account and token, and a sender that phones can show", () => {
  expect(loadConfig({}).sms).toBeUndefined();
  const provider = { TIDEMARK_SMS_URL: "https://api.twilio.com", TIDEMARK_SMS_ACCOUNT: "AC1", TIDEMARK_SMS_TOKEN: "t" };
  expect(loadConfig(provider).sms).toEqual({
    url: "https://api.twilio.com",
    account: "AC1",
    token: "t",
    from: "Tidemark",
    caps: { ofTenant: 500, ofAll: 2_000 },
  });
  expect(faultsOf({ TIDEMARK_SMS_URL: "https://api.twilio.com" })).toHaveLength(2);
  expect(faultsOf({ ...provider, TIDEMARK_SMS_FROM: "0151-12345678" })).toEqual([
    expect.stringContaining("TIDEMARK_SMS_FROM must be a number in E.164 form"),
  ]);
  expect(faultsOf({ TIDEMARK_SECRET_KEY: "short" })).toEqual([
    expect.stringContaining("TIDEMARK_SECRET_KEY must have"),
  ]);
});

test("every setting is read", () => {
  const config = loadConfig({
    PORT: "9000",
    HOST: "0.0.0.0",
    TIDEMARK_DATA_DIR: "/var/lib/tidemark",
    TIDEMARK_ROOT_KEY: "a-root-key-of-some-length",
    TIDEMARK_ADMIN_EMAIL: "ops@example.com",
    TIDEMARK_ADMIN_PASSWORD: "correct horse",
    CLICKHOUSE_URL: "http://u:p@clickhouse:8123/tidemark",
    DATABASE_URL: "postgres://u:p@postgres/tidemark",
    REDIS_URL: "redis://redis:6379",
    TIDEMARK_ROLES: "ingest, api",
    TIDEMARK_WAL_MAX_BYTES: "1073741824",
    LOG_LEVEL: "warn",
  });
  expect(config).toMatchObject({
    port: 9000,
    host: "0.0.0.0",
    dataDir: "/var/lib/tidemark",
    rootKey: "a-root-key-of-some-length",
    adminEmail: "ops@example.com",
    adminPassword: "correct horse",
    clickhouseUrl: "http://u:p@clickhouse:8123/tidemark",
    databaseUrl: "postgres://u:p@postgres/tidemark",
    redisUrl: "redis://redis:6379",
    reportsMaxBytes: 10 * 1024 ** 3,
    walMaxBytes: 1024 ** 3,
    logLevel: "warn",
  });
  expect([...config.roles]).toEqual(["ingest", "api"]);
});

test("all faults are reported at once, each with its name", () => {
  const faults = faultsOf({
    PORT: "eighty",
    TIDEMARK_ADMIN_EMAIL: "nobody",
    CLICKHOUSE_URL: "clickhouse:8123",
    DATABASE_URL: "mysql://db",
    REDIS_URL: "http://redis",
    TIDEMARK_ROLES: "ingest,cook",
    LOG_LEVEL: "loud",
  });
  const names = [
    "PORT",
    "TIDEMARK_ADMIN_EMAIL",
    "CLICKHOUSE_URL",
    "DATABASE_URL",
    "REDIS_URL",
    "TIDEMARK_ROLES",
    "LOG_LEVEL",
  ];
  for (const name of names) expect(faults.filter((fault) => fault.startsWith(`${name} `))).not.toEqual([]);
});

describe("secrets in files", () => {
  test("NAME_FILE gives the content of the file without its last line end", () => {
    expect(loadConfig({ TIDEMARK_ADMIN_PASSWORD_FILE: file("correct horse\n") }).adminPassword).toBe("correct horse");
    expect(loadConfig({ PORT_FILE: file("9001") }).port).toBe(9001);
  });

  test("a file that cannot be read is a fault, and so is giving both forms", () => {
    expect(faultsOf({ TIDEMARK_ROOT_KEY_FILE: join(folder, "absent") })).toEqual([
      expect.stringContaining("TIDEMARK_ROOT_KEY_FILE cannot be read"),
    ]);
    expect(faultsOf({ PORT: "1", PORT_FILE: file("2") })).toEqual([expect.stringContaining("PORT and PORT_FILE")]);
  });

  test("a fault never repeats a secret", () => {
    expect(faultsOf({ TIDEMARK_ROOT_KEY: "short-secret", TIDEMARK_ADMIN_PASSWORD: "tiny" }).join()).not.toMatch(
      /short-secret|tiny/,
    );
  });
});

test("a service that is split over processes needs Redis", () => {
  expect(faultsOf({ TIDEMARK_ROLES: "ingest" })).toEqual([expect.stringContaining("REDIS_URL is required")]);
  expect(faultsOf({ TIDEMARK_ROLES: "ingest", REDIS_URL: "redis://r" })).toEqual([]);
});

test("an empty setting is the same as none", () => {
  expect(loadConfig({ PORT: "", REDIS_URL: "", PORT_FILE: "" }).port).toBe(8080);
});

test("one of several nodes names what they share, and every missing setting of these is reported", () => {
  expect(faultsOf({ TIDEMARK_NODE_URL: "http://one:8080", TIDEMARK_NODE: "No Name" })).toEqual([
    expect.stringMatching(/^TIDEMARK_NODE must be/),
  ]);
  expect(faultsOf({ TIDEMARK_NODE_URL: "http://one:8080" }).map((fault) => fault.split(" ")[0])).toEqual([
    "TIDEMARK_CLUSTER_SECRET",
    "CLICKHOUSE_URL",
    "DATABASE_URL",
    "REDIS_URL",
  ]);
  const { cluster } = loadConfig({
    TIDEMARK_NODE_URL: "http://one:8080/",
    TIDEMARK_NODE: "one",
    TIDEMARK_CLUSTER_SECRET: "s".repeat(32),
    CLICKHOUSE_URL: "http://u:p@clickhouse:8123/tidemark",
    DATABASE_URL: "postgres://u:p@postgres/tidemark",
    REDIS_URL: "redis://redis:6379",
  });
  expect(cluster).toEqual({ url: "http://one:8080", name: "one", secret: "s".repeat(32) });
});
