/** Every setting of the service, read from the environment in this one place. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";
import { type AddressRanges, parseAddressRanges } from "./address-ranges.ts";
import { secretKey } from "./billing/statements/verify-message.ts";
import { nothingAllowed, type OutgoingAllow, parseOutgoingAllow } from "./delivery/outgoing-allow.ts";
import type { SmsSettings } from "./delivery/send-sms.ts";
import type { OidcSettings } from "./identity/oidc.ts";
import type { BucketSettings } from "./reports/bucket.ts";

export const roles = ["ingest", "api", "worker"] as const;
export type Role = (typeof roles)[number];

const url = (...protocols: string[]) =>
  z.string().refine(
    (value) => {
      try {
        return protocols.includes(new URL(value).protocol);
      } catch {
        return false;
      }
    },
    `must be a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(" or ")}`,
  );

const wholeNumber = (from: number, to: number) =>
  z
    .string()
    .regex(/^\d+$/, "must be a whole number")
    .transform(Number)
    .refine((value) => value >= from && value <= to, `must be between ${from} and ${to}`);

const environmentSchema = z.object({
  PORT: wholeNumber(0, 65_535).default(8080),
  HOST: z.string().min(1).default("127.0.0.1"),
  TIDEMARK_DATA_DIR: z.string().min(1).default(".data"),
  TIDEMARK_ROOT_KEY: z.string().min(16, "must have at least 16 characters").optional(),
  TIDEMARK_ADMIN_EMAIL: z.email("must be an email address").default("admin@tidemark.local"),
  TIDEMARK_ADMIN_PASSWORD: z.string().min(8, "must have at least 8 characters").optional(),
  CLICKHOUSE_URL: url("http:", "https:").optional(),
  DATABASE_URL: url("postgres:", "postgresql:").optional(),
  REDIS_URL: url("redis:", "rediss:").optional(),
  // Take the place of a password in the URL, with any characters as they are.
  CLICKHOUSE_PASSWORD: z.string().optional(),
  DATABASE_PASSWORD: z.string().optional(),
  REDIS_PASSWORD: z.string().optional(),
  TIDEMARK_ROLES: z
    .string()
    .transform((value) => value.split(",").map((role) => role.trim()))
    .pipe(z.array(z.enum(roles, `must be a list of ${roles.join(", ")}`)).min(1))
    .transform((list): ReadonlySet<Role> => new Set(list))
    .default(new Set(roles)),
  TIDEMARK_REPORTS_MAX_BYTES: wholeNumber(1024 * 1024, Number.MAX_SAFE_INTEGER).default(10 * 1024 * 1024 * 1024),
  TIDEMARK_REPORTS_BUCKET: z
    .string()
    .regex(
      /^(?:\/.*|s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:\/.*)?)$/,
      "must be an absolute path or s3://bucket/prefix",
    )
    .optional(),
  AWS_ENDPOINT_URL: z.string().optional(),
  AWS_REGION: z.string().min(1).default("us-east-1"),
  AWS_ACCESS_KEY_ID: z.string().min(1).optional(),
  AWS_SECRET_ACCESS_KEY: z.string().min(1).optional(),
  AWS_SESSION_TOKEN: z.string().min(1).optional(),
  TIDEMARK_WAL_MAX_BYTES: wholeNumber(16 * 1024 * 1024, Number.MAX_SAFE_INTEGER).default(4 * 1024 * 1024 * 1024),
  TIDEMARK_EVENTS_PER_SECOND: wholeNumber(1, 100_000_000).default(200_000),
  TIDEMARK_NODE_URL: url("http:", "https:").optional(),
  TIDEMARK_NODE: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "must be up to 63 lower-case letters, digits and hyphens")
    .optional(),
  TIDEMARK_LOST_NODE: z.string().min(1).optional(),
  TIDEMARK_INSTALLATION: z.string().min(1).optional(),
  TIDEMARK_DRAIN_SECONDS: wholeNumber(0, 600).default(5),
  TIDEMARK_CLUSTER_SECRET: z.string().min(32, "must have at least 32 characters").optional(),
  TIDEMARK_PUBLIC_URL: url("http:", "https:").optional(),
  TIDEMARK_TRUSTED_PROXIES: z
    .string()
    .transform(parseAddressRanges)
    .refine(
      (ranges) => ranges !== undefined,
      "must be addresses and CIDR ranges such as 10.0.0.0/8, separated by commas",
    )
    .optional(),
  TIDEMARK_SMTP_URL: url("smtp:", "smtps:").optional(),
  TIDEMARK_MAIL_FROM: z.string().min(3).default("Tidemark <tidemark@localhost>"),
  TIDEMARK_SECRET_KEY: z.string().min(32, "must have at least 32 characters").optional(),
  TIDEMARK_OUTGOING_ALLOW: z
    .string()
    .transform(parseOutgoingAllow)
    .refine((allow) => allow !== undefined, "must be hosts, addresses and CIDR ranges, separated by commas")
    .optional(),
  TIDEMARK_SMS_URL: url("http:", "https:").optional(),
  TIDEMARK_SMS_ACCOUNT: z.string().min(1).optional(),
  TIDEMARK_SMS_TOKEN: z.string().min(1).optional(),
  TIDEMARK_SMS_TENANT_CAP: wholeNumber(1, 100_000_000).default(500),
  TIDEMARK_SMS_CAP: wholeNumber(1, 100_000_000).default(2_000),
  TIDEMARK_SMS_FROM: z
    .string()
    .regex(
      /^(?:\+[1-9]\d{6,14}|[A-Za-z0-9 ]{1,11})$/,
      "must be a number in E.164 form or a name of up to 11 characters",
    )
    .default("Tidemark"),
  TIDEMARK_PAYMENT_SECRETS: z
    .string()
    .transform((value) => value.split(",").map((secret) => secretKey(secret.trim())))
    .refine(
      (keys) => keys.length <= 2 && keys.every((key) => key !== undefined),
      "must be one or two `whsec_…`, separated by a comma",
    )
    .transform((keys) => keys.filter((key) => key !== undefined))
    .default([]),
  TIDEMARK_OIDC_ISSUER: url("http:", "https:")
    .refine(
      (value) => {
        const { protocol, hostname } = new URL(value);
        return protocol === "https:" || ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
      },
      { error: "must start with https:// unless it is on this machine", when: ({ issues }) => issues.length === 0 },
    )
    .optional(),
  TIDEMARK_OIDC_CLIENT_ID: z.string().min(1).optional(),
  TIDEMARK_OIDC_CLIENT_SECRET: z.string().min(1).optional(),
  TIDEMARK_OIDC_NAME: z.string().min(1).max(64).default("single sign-on"),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
});

/** Every setting, each of which may also be given as NAME_FILE. */
export const settingNames: readonly string[] = Object.keys(environmentSchema.shape);

/** Settings that nobody but the service should read. */
export const secretSettings: readonly string[] = [
  "TIDEMARK_ROOT_KEY",
  "TIDEMARK_ADMIN_PASSWORD",
  "CLICKHOUSE_PASSWORD",
  "DATABASE_PASSWORD",
  "REDIS_PASSWORD",
  "TIDEMARK_CLUSTER_SECRET",
  "TIDEMARK_SMTP_URL",
  "TIDEMARK_PAYMENT_SECRETS",
  "TIDEMARK_OIDC_CLIENT_SECRET",
  "TIDEMARK_SECRET_KEY",
  "TIDEMARK_SMS_TOKEN",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
];

export interface Config {
  port: number;
  host: string;
  /** Absolute. */
  dataDir: string;
  rootKey: string | undefined;
  adminEmail: string;
  adminPassword: string | undefined;
  clickhouseUrl: string | undefined;
  databaseUrl: string | undefined;
  redisUrl: string | undefined;
  roles: ReadonlySet<Role>;
  /** What the report files of one tenant may come to. */
  reportsMaxBytes: number;
  /** Where what schedules send is put, too; absent without such a place. */
  reportsBucket: BucketSettings | undefined;
  walMaxBytes: number;
  /** What one API key may send on average. */
  eventsPerSecond: number;
  /** The name of this process among those that ingest; undefined: one that stays with the data folder. */
  node: string | undefined;
  /** The ingest process whose data folder is lost for good, and whose place this one takes. */
  lostNode: string | undefined;
  /** The installation whose ClickHouse is taken over by a new Postgres, when its own is lost. */
  adoptedInstallation: string | undefined;
  /** After SIGTERM, how long requests are answered while /readyz says that the process is about to end. */
  drainMs: number;
  /** Several processes ingest into the same stores, and this is how they reach each other; undefined: this one is alone. */
  cluster: ClusterConfig | undefined;
  /** Where people reach the dashboard, for links in mails; without a slash at its end. */
  publicUrl: string;
  /** Proxies whose forwarding headers are believed; without the setting nobody's are. */
  isTrustedProxy: AddressRanges;
  smtpUrl: string | undefined;
  mailFrom: string;
  /** What secrets at rest are sealed with; undefined: a key of the data folder. */
  secretKey: string | undefined;
  /** What requests to addresses that users name may reach beside the public ones. */
  outgoingAllow: OutgoingAllow;
  /** Absent without a provider of SMS. */
  sms: SmsSettings | undefined;
  /** They verify the messages of payment providers; the second while one is replaced. */
  paymentKeys: readonly Buffer[];
  /** The identity provider; absent without one. */
  oidc: OidcSettings | undefined;
  logLevel: string;
}

export interface ClusterConfig {
  /** Where the others reach this node, without a slash at its end. */
  url: string;
  /** Undefined: a name that stays with the data folder. */
  name: string | undefined;
  secret: string;
}

/** What is wrong with the environment, every fault of it. */
export class ConfigError extends Error {
  override name = "ConfigError";
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(`The settings cannot be used:\n${faults.map((fault) => `  ${fault}`).join("\n")}`);
    this.faults = faults;
  }
}

/**
 * Reads the settings; each NAME may be given as NAME_FILE, the path of a file that holds it. Empty is the same as absent.
 *
 * @throws ConfigError that lists every fault at once.
 */
export function loadConfig(environment: Record<string, string | undefined>): Config {
  const { given, faults } = readSettings(environment);
  const parsed = environmentSchema.safeParse(given);
  if (!parsed.success)
    faults.push(...parsed.error.issues.map((issue) => `${issue.path[0]?.toString()} ${issue.message}`));
  const settings = parsed.data;
  faults.push(...faultsOfOidc(given), ...(settings ? faultsBetween(settings) : []));
  if (!settings || faults.length > 0) throw new ConfigError(faults);
  return {
    port: settings.PORT,
    host: settings.HOST,
    dataDir: resolve(settings.TIDEMARK_DATA_DIR),
    rootKey: settings.TIDEMARK_ROOT_KEY,
    adminEmail: settings.TIDEMARK_ADMIN_EMAIL,
    adminPassword: settings.TIDEMARK_ADMIN_PASSWORD,
    clickhouseUrl: withPassword(settings.CLICKHOUSE_URL, settings.CLICKHOUSE_PASSWORD),
    databaseUrl: withPassword(settings.DATABASE_URL, settings.DATABASE_PASSWORD),
    redisUrl: withPassword(settings.REDIS_URL, settings.REDIS_PASSWORD),
    roles: settings.TIDEMARK_ROLES,
    reportsMaxBytes: settings.TIDEMARK_REPORTS_MAX_BYTES,
    reportsBucket: bucketOf(settings),
    walMaxBytes: settings.TIDEMARK_WAL_MAX_BYTES,
    eventsPerSecond: settings.TIDEMARK_EVENTS_PER_SECOND,
    node: settings.TIDEMARK_NODE,
    lostNode: settings.TIDEMARK_LOST_NODE,
    adoptedInstallation: settings.TIDEMARK_INSTALLATION,
    drainMs: settings.TIDEMARK_DRAIN_SECONDS * 1000,
    cluster: settings.TIDEMARK_NODE_URL
      ? {
          url: settings.TIDEMARK_NODE_URL.replace(/\/+$/, ""),
          name: settings.TIDEMARK_NODE,
          secret: settings.TIDEMARK_CLUSTER_SECRET ?? "",
        }
      : undefined,
    publicUrl: (settings.TIDEMARK_PUBLIC_URL ?? `http://localhost:${settings.PORT}`).replace(/\/+$/, ""),
    isTrustedProxy: settings.TIDEMARK_TRUSTED_PROXIES ?? (() => false),
    smtpUrl: settings.TIDEMARK_SMTP_URL,
    mailFrom: settings.TIDEMARK_MAIL_FROM,
    secretKey: settings.TIDEMARK_SECRET_KEY,
    outgoingAllow: settings.TIDEMARK_OUTGOING_ALLOW ?? nothingAllowed,
    sms:
      settings.TIDEMARK_SMS_URL && settings.TIDEMARK_SMS_ACCOUNT && settings.TIDEMARK_SMS_TOKEN
        ? {
            url: settings.TIDEMARK_SMS_URL,
            account: settings.TIDEMARK_SMS_ACCOUNT,
            token: settings.TIDEMARK_SMS_TOKEN,
            from: settings.TIDEMARK_SMS_FROM,
            caps: { ofTenant: settings.TIDEMARK_SMS_TENANT_CAP, ofAll: settings.TIDEMARK_SMS_CAP },
          }
        : undefined,
    paymentKeys: settings.TIDEMARK_PAYMENT_SECRETS,
    oidc:
      settings.TIDEMARK_OIDC_ISSUER && settings.TIDEMARK_OIDC_CLIENT_ID && settings.TIDEMARK_OIDC_CLIENT_SECRET
        ? {
            issuer: settings.TIDEMARK_OIDC_ISSUER,
            clientId: settings.TIDEMARK_OIDC_CLIENT_ID,
            clientSecret: settings.TIDEMARK_OIDC_CLIENT_SECRET,
            name: settings.TIDEMARK_OIDC_NAME,
          }
        : undefined,
    logLevel: settings.LOG_LEVEL,
  };
}

/** The settings that are given, each by the environment or by a file that it names. */
function readSettings(environment: Record<string, string | undefined>) {
  const faults: string[] = [];
  const given: Record<string, string> = {};
  for (const name of settingNames) {
    const value = environment[name];
    const file = environment[`${name}_FILE`];
    if (value && file) faults.push(`${name} and ${name}_FILE are both set; use one of them`);
    if (value) given[name] = value;
    else if (file) {
      try {
        given[name] = readFileSync(file, "utf8").replace(/\r?\n$/, "");
      } catch (error) {
        faults.push(`${name}_FILE cannot be read: ${(error as Error).message}`);
      }
    }
  }
  return { given, faults };
}

function faultsOfOidc(given: Readonly<Record<string, string>>): string[] {
  const needed = ["TIDEMARK_OIDC_ISSUER", "TIDEMARK_OIDC_CLIENT_ID", "TIDEMARK_OIDC_CLIENT_SECRET"];
  const absent = needed.filter((name) => !given[name]);
  if (absent.length === 0 || absent.length === needed.length) return [];
  return [`${absent.join(" and ")} must be set too: an identity provider needs all three`];
}

type Settings = z.output<typeof environmentSchema>;

function bucketOf(settings: Settings): BucketSettings | undefined {
  const place = settings.TIDEMARK_REPORTS_BUCKET;
  if (place === undefined) return undefined;
  const [, bucket, path = ""] = /^s3:\/\/([^/]+)\/*(.*)$/.exec(place) ?? [];
  if (bucket === undefined) return { kind: "folder", path: resolve(place) };
  const prefix = path.replace(/\/*$/, "");
  const token = settings.AWS_SESSION_TOKEN;
  return {
    kind: "s3",
    bucket,
    prefix: prefix === "" ? "" : `${prefix}/`,
    endpoint: settings.AWS_ENDPOINT_URL,
    region: settings.AWS_REGION,
    credentials: {
      accessKeyId: settings.AWS_ACCESS_KEY_ID ?? "",
      secretAccessKey: settings.AWS_SECRET_ACCESS_KEY ?? "",
      ...(token !== undefined && { sessionToken: token }),
    },
  };
}

/** Those of AWS may be there for other programs: they are checked where a bucket needs them. */
function faultsOfBucket(settings: Settings): string[] {
  if (!settings.TIDEMARK_REPORTS_BUCKET?.startsWith("s3:")) return [];
  const faults = (["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] as const)
    .filter((name) => !settings[name])
    .map((name) => `${name} must be set too if TIDEMARK_REPORTS_BUCKET names a bucket`);
  const endpoint = url("http:", "https:").optional().safeParse(settings.AWS_ENDPOINT_URL);
  return endpoint.success ? faults : [...faults, `AWS_ENDPOINT_URL ${endpoint.error.issues[0]?.message}`];
}

/** What settings say together that none of them says alone. */
function faultsBetween(settings: Settings): string[] {
  const faults = faultsOfBucket(settings);
  if (settings.TIDEMARK_ROLES.size < roles.length && !settings.REDIS_URL)
    faults.push("REDIS_URL is required when TIDEMARK_ROLES splits the service over several processes");
  for (const name of ["TIDEMARK_SMS_ACCOUNT", "TIDEMARK_SMS_TOKEN"] as const)
    if (settings.TIDEMARK_SMS_URL && !settings[name]) faults.push(`${name} must be set too if TIDEMARK_SMS_URL is set`);
  if (settings.TIDEMARK_NODE_URL)
    for (const name of ["TIDEMARK_CLUSTER_SECRET", "CLICKHOUSE_URL", "DATABASE_URL", "REDIS_URL"] as const)
      if (!settings[name]) faults.push(`${name} is required with TIDEMARK_NODE_URL: the ingest nodes share it`);
  if (settings.TIDEMARK_CLUSTER_SECRET && settings.TIDEMARK_ROLES.has("ingest") && !settings.TIDEMARK_NODE_URL)
    faults.push(
      "TIDEMARK_NODE_URL is required with TIDEMARK_CLUSTER_SECRET: the other ingest nodes reach this one there",
    );
  return faults;
}

function withPassword(url: string | undefined, password: string | undefined): string | undefined {
  if (url === undefined || password === undefined) return url;
  const given = new URL(url);
  given.password = encodeURIComponent(password);
  return given.href;
}
