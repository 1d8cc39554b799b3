/** The stores of the service, their schemas brought up to date, and what is loaded from them: the tree, people, keys, meters. */

import { refusalOfPerson, unseenByPerson } from "../alerts/check-recipient.ts";
import { connectClickHouse } from "../clickhouse/client.ts";
import { migrateClickHouse } from "../clickhouse/migrate.ts";
import { claimClickHouse } from "../cluster/claim-stores.ts";
import { startDelivery } from "../delivery/start-delivery.ts";
import type { Waits } from "../health/await-store.ts";
import { createAuthenticator } from "../http/authenticate.ts";
import { serve } from "../http/serve.ts";
import { createKeys } from "../identity/keys.ts";
import { createSignInSessions } from "../identity/sign-in-sessions.ts";
import { createUsers } from "../identity/users.ts";
import { MailLimits } from "../mail/mail-limits.ts";
import { createMailer } from "../mail/mailer.ts";
import { CustomMeters } from "../meters/custom-meters.ts";
import { connectPostgres } from "../postgres/client.ts";
import { migratePostgres, whileMigrating } from "../postgres/migrate.ts";
import { connectRedis } from "../redis/connect-redis.ts";
import { openBucket } from "../reports/bucket.ts";
import { putReport } from "../reports/put-report.ts";
import { createTelemetry } from "../telemetry/telemetry.ts";
import { NodeTree } from "../tree/node-tree.ts";
import type { Boot } from "./boot.ts";
import { awaitStores, clickhouseFor, postgresFor } from "./open-stores.ts";

export type Stores = Awaited<ReturnType<typeof openStores>>;

/** The server listens meanwhile, and says what is waited for. */
export async function openStores({ config, log, started }: Boot) {
  const waits: Waits = new Map();
  const serving = await serve(config, waits, log);
  started.push(() => serving.close());
  const giveUp = new AbortController();
  started.push(async () => giveUp.abort());
  const reached = awaitStores(config, waits, log, giveUp.signal);
  const [clickhouseStore, postgresStore] = await Promise.all([
    clickhouseFor(config, log, started),
    postgresFor(config, log, started),
  ]);
  const telemetry = createTelemetry();
  const clickhouse = connectClickHouse(clickhouseStore.connection, telemetry.clickhouseAnswered);
  started.push(() => clickhouse.close());
  // With connections of its own, however many statements questions wait for, none of them stands before what is stored and derived.
  const askedClickhouse = connectClickHouse(clickhouseStore.connection, telemetry.clickhouseAnswered);
  started.push(() => askedClickhouse.close());
  const postgres = connectPostgres(postgresStore.url, telemetry.postgresFailed);
  started.push(() => postgres.close());
  await Promise.all([
    reached.postgres(() => migratePostgres(postgres)),
    reached.clickhouse(() => clickhouse.ping()),
    reached.redis(),
  ]);
  // One process at a time: ClickHouse has no transactions around a schema.
  await reached.clickhouse(() =>
    whileMigrating(postgres, async () => {
      await migrateClickHouse(clickhouse);
      await claimClickHouse(postgres, clickhouse, config.adoptedInstallation);
    }),
  );
  return { serving, telemetry, clickhouse, askedClickhouse, clickhouseStore, postgres, postgresStore };
}

export type Directory = Awaited<ReturnType<typeof openDirectory>>;

export async function openDirectory({ config, log, started }: Boot, { postgres, telemetry }: Stores) {
  const tree = await NodeTree.load(postgres, log);
  started.push(() => tree.close());
  const keys = createKeys(postgres, log);
  started.push(() => keys.close());
  const redis = config.redisUrl ? connectRedis(config.redisUrl, { name: "live", whenDown: "wait", log }) : undefined;
  // Sign-in must be answered, not queued, while Redis is away: then each process counts attempts for itself.
  const limits = config.redisUrl ? connectRedis(config.redisUrl, { name: "limits", whenDown: "fail", log }) : undefined;
  started.push(async () => {
    redis?.disconnect();
    limits?.disconnect();
  });

  const users = createUsers({ postgres, tree }, { redis: limits });
  const signInSessions = createSignInSessions(postgres, log);
  started.push(() => signInSessions.close());
  if (config.rootKey) await keys.ensureRootKey(config.rootKey);
  const { generatedPassword } = await users.ensureAdmin({ email: config.adminEmail, password: config.adminPassword });
  const mailer = config.smtpUrl ? createMailer({ smtpUrl: config.smtpUrl, from: config.mailFrom }) : undefined;
  started.push(async () => mailer?.close());
  const mailLimits = new MailLimits(limits);
  const bucket = config.reportsBucket && openBucket(config.reportsBucket);
  const delivery = await startDelivery(
    config,
    {
      postgres,
      tree,
      mailer,
      mailLimits,
      log,
      onAttempt: telemetry.deliveryAttempted,
      whyNotTo: (row) => refusalOfPerson({ postgres }, row),
      unseenBy: (row) => unseenByPerson({ postgres, tree }, row),
      putReport: bucket && ((row) => putReport({ postgres, log }, bucket, row)),
    },
    { isSender: config.roles.has("worker") },
  );
  started.push(() => delivery.close());
  const authenticator = createAuthenticator({ keys, signInSessions, tree });
  const customMeters = await CustomMeters.load(postgres, tree, log);
  started.push(async () => customMeters.close());
  return {
    tree,
    keys,
    redis,
    users,
    signInSessions,
    generatedPassword,
    mailer,
    mailLimits,
    delivery,
    authenticator,
    customMeters,
  };
}
