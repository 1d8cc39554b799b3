/** One round: limits are crossed while processes are killed at random, and every crossing is sent to a real mail server and a real receiver. */
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isSameProcessRunning, parseProcessIdentity } from "../../server/process/process-identity.ts";
import { openMailbox } from "../support/mailbox.ts";
import { recoveryPatienceMs } from "../support/patience.ts";
import { openReceiver } from "../support/receiver.ts";
import { eventually, startService, type TestService } from "../support/service.ts";
import { type RedisServer, startRedis } from "./killer.ts";

export interface AlertsRoundFigures {
  kills: Record<string, number>;
  crossings: number;
  /** Crossings that did not reach a receiver, or that have more than one id there. */
  missing: string[];
  doubled: string[];
  /** Received again under the same id: the receiver took it and the process died before noting that. */
  repeats: number;
  /** From the acceptance of the crossing event to the webhook, ms, ascending. */
  latenessMs: number[];
}

const perKill = 2;

/** Each organization has a rule of its own, so that no two crossings become one message. */
export async function runAlertsRound(
  kills: number,
  { withRedis }: { withRedis: boolean },
): Promise<AlertsRoundFigures> {
  const [mailbox, receiver] = await Promise.all([openMailbox(), openReceiver()]);
  const redis = withRedis ? await startRedis() : undefined;
  const service = await startService({
    LOG_LEVEL: "warn",
    TIDEMARK_OUTGOING_ALLOW: "127.0.0.1",
    TIDEMARK_SMTP_URL: mailbox.url,
    ...(redis && { REDIS_URL: redis.url }),
  });
  try {
    const organizations = Array.from({ length: kills * perKill }, (_, place) => `crossing-${place}`);
    await prepare(service, organizations, receiver.url);
    const acceptedAtMs = new Map<string, number>();
    const isOver = { value: false };
    const crossing = cross(service, organizations, acceptedAtMs, isOver);
    const killed = await killAtRandom(service, redis, kills, async (killsDone) => {
      await eventually("more limits to be crossed", async () => {
        await keepRunning(service);
        return acceptedAtMs.size > killsDone / 2 || undefined;
      });
    });
    isOver.value = true;
    let isCrossed = false;
    void crossing.finally(() => (isCrossed = true)).catch(() => undefined);
    // The last kill may have hit a store that the server was waiting for as it started, which ends it.
    await eventually("the last crossing to be taken", async () => {
      await keepRunning(service);
      return isCrossed || undefined;
    });
    await crossing;
    const firing = () => receiver.received.map(noticeOf).filter(({ type }) => type === "alert.firing");
    const mailed = () =>
      mailbox.mails.flatMap(({ messageId, text }) => {
        const alert = /\/alerts\/(alr_\w+)/.exec(text ?? "")?.[1];
        return messageId !== undefined && alert !== undefined ? [{ id: messageId, alert }] : [];
      });
    const alertOf = new Map<string, string>();
    await eventually(
      "every crossing to be notified",
      async () => {
        await keepRunning(service);
        for (const { node, alert } of firing()) alertOf.set(node.slice("organization:".length), alert);
        const mails = new Set(mailed().map(({ alert }) => alert));
        return [...acceptedAtMs.keys()].every((one) => mails.has(alertOf.get(one) ?? "")) || undefined;
      },
      recoveryPatienceMs,
    ).catch(() => undefined);
    return evaluate(acceptedAtMs, firing(), mailed(), killed);
  } finally {
    await service.stop();
    await Promise.all([mailbox.close(), receiver.close(), redis?.stop()]);
  }
}

interface Notice {
  type: string;
  id: string;
  alert: string;
  node: string;
  atMs: number;
}

function noticeOf({ headers, body, atMs }: { headers: Record<string, unknown>; body: string; atMs: number }): Notice {
  const { type, data } = JSON.parse(body) as { type: string; data: { id: string; node: string } };
  return { type, id: String(headers["webhook-id"]), alert: data.id, node: data.node, atMs };
}

function evaluate(
  acceptedAtMs: ReadonlyMap<string, number>,
  firing: readonly Notice[],
  mailed: readonly { id: string; alert: string }[],
  kills: Record<string, number>,
): AlertsRoundFigures {
  const figures: AlertsRoundFigures = {
    kills,
    crossings: acceptedAtMs.size,
    missing: [],
    doubled: [],
    repeats: 0,
    latenessMs: [],
  };
  for (const [organization, acceptedMs] of acceptedAtMs) {
    const own = firing.filter(({ node }) => node === `organization:${organization}`);
    const alerts = new Set(own.map(({ alert }) => alert));
    const mails = mailed.filter(({ alert }) => alerts.has(alert));
    if (own.length === 0) figures.missing.push(`${organization} by webhook`);
    if (own.length > 0 && mails.length === 0) figures.missing.push(`${organization} by mail`);
    if (alerts.size > 1 || new Set(own.map(({ id }) => id)).size > 1)
      figures.doubled.push(`${organization} by webhook`);
    if (new Set(mails.map(({ id }) => id)).size > 1) figures.doubled.push(`${organization} by mail`);
    figures.repeats += Math.max(0, own.length - 1) + Math.max(0, mails.length - 1);
    if (own[0]) figures.latenessMs.push(own[0].atMs - acceptedMs);
  }
  figures.latenessMs.sort((a, b) => a - b);
  return figures;
}

async function prepare(service: TestService, organizations: readonly string[], receiverUrl: string): Promise<void> {
  const make = async (path: string, body: object = {}) => {
    const answer = await fetch(`${service.url}${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${service.rootKey}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`POST ${path} was answered ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as { id: string };
  };
  const features = [{ key: "posts", meter: "chat_posts", included: "2", overage: "notify" }];
  const { id: plan } = await make("/v1/plans", { name: "Small", currency: "EUR", node: "all", features });
  await make(`/v1/plans/${plan}/publish`);
  const channel = (rest: object) => make("/v1/channels", { node: "all", ...rest });
  const channels = [
    (await channel({ kind: "webhook", name: "Receiver", url: `${receiverUrl}/told` })).id,
    (await channel({ kind: "email", name: "Mailbox", to: ["told@example.com"] })).id,
  ];
  for (const id of organizations) {
    await make("/v1/nodes", { kind: "organization", id });
    const node = `organization:${id}`;
    await make("/v1/subscriptions", { node, plan });
    await make("/v1/rules", {
      name: id,
      node,
      channels,
      condition: { kind: "quota", feature: "posts", thresholds: [100] },
    });
  }
}

/** One organization after another goes over its limit, each as often as it takes until its events are acknowledged. */
async function cross(
  service: TestService,
  organizations: readonly string[],
  acceptedAtMs: Map<string, number>,
  isOver: { value: boolean },
): Promise<void> {
  for (const organization of organizations) {
    if (isOver.value) return;
    const events = [0, 1, 2].map(() => ({ id: randomUUID(), type: "chat.posted", organization }));
    for (let isTaken = false; !isTaken; ) {
      const answer = await fetch(`${service.url}/v1/events`, {
        method: "POST",
        headers: { authorization: `Bearer ${service.rootKey}`, "content-type": "application/json" },
        body: JSON.stringify(events),
        signal: AbortSignal.timeout(10_000),
      }).catch(() => undefined);
      await answer?.arrayBuffer().catch(() => undefined);
      isTaken = answer?.status === 202;
      if (!isTaken) await delay(200);
    }
    acceptedAtMs.set(organization, Date.now());
    await delay(300 + Math.random() * 1_500);
  }
}

type Blow = "server" | "postgres" | "clickhouse" | "redis" | "flushed redis";

/** What was struck, how often. Whoever died is alive again at the end; `progress` ends when enough was done for so many kills. */
async function killAtRandom(
  service: TestService,
  redis: RedisServer | undefined,
  kills: number,
  progress: (killsDone: number) => Promise<void>,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const blows: Blow[] = [
    "server",
    "server",
    "postgres",
    "clickhouse",
    ...(redis ? (["redis", "flushed redis"] as const) : []),
  ];
  for (let done = 0; done < kills; ) {
    await keepRunning(service);
    // Random on purpose: a kill must land in every step of a notification.
    await delay(Math.random() * 4_000);
    const blow = blows[Math.floor(Math.random() * blows.length)] ?? "server";
    if (!(await strike(blow, service, redis))) continue;
    counts[blow] = (counts[blow] ?? 0) + 1;
    done++;
    await progress(done);
  }
  await keepRunning(service);
  return counts;
}

async function strike(blow: Blow, service: TestService, redis: RedisServer | undefined): Promise<boolean> {
  if (blow === "server") {
    if (!service.isServerRunning()) return false;
    await service.stopServer("SIGKILL");
    service.launchServer();
    return true;
  }
  if (blow === "flushed redis") return spawnSync("redis-cli", ["-u", redis?.url ?? "", "FLUSHALL"]).status === 0;
  if (blow === "redis") {
    const pid = redis?.pid();
    if (pid === undefined) return false;
    process.kill(pid, "SIGKILL");
    while (redis?.pid() !== undefined) await delay(5);
    redis?.launch();
    return true;
  }
  const text = await readFile(join(service.dataDir, blow, "process.json"), "utf8").catch(() => "");
  const identity = parseProcessIdentity(text);
  if (!identity || !isSameProcessRunning(identity)) return false;
  process.kill(identity.pid, "SIGKILL");
  return true;
}

/** As any supervisor does: a server whose store died while it started ends, and is started again. */
async function keepRunning(service: TestService): Promise<void> {
  if (!service.isServerRunning()) service.launchServer();
}
