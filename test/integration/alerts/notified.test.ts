/** From events posted to a whole service until people, their devices and their channels are notified. */
import { io, type Socket } from "socket.io-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Alert } from "../../../server/contract/alerts.ts";
import type { NotificationPush } from "../../../server/contract/notifications.ts";
import { eventually, startService, type TestService } from "../../support/service.ts";

let service: TestService;
const sockets: Socket[] = [];
beforeAll(async () => {
  service = await startService();
});
afterAll(async () => {
  for (const socket of sockets) socket.disconnect();
  await service.stop();
});

// biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the tests are about
type Body = any;

async function ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Body> {
  const answer = await fetch(`${service.url}${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...("cookie" in headers ? {} : { authorization: `Bearer ${service.rootKey}` }),
      origin: service.url,
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  expect(answer.ok, `${method} ${path}: ${answer.status} ${text}`).toBe(true);
  return text === "" ? undefined : JSON.parse(text);
}

async function signIn(email: string, password: string): Promise<string> {
  const answer = await fetch(`${service.url}/v1/session`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: service.url },
    body: JSON.stringify({ email, password }),
  });
  expect(answer.ok).toBe(true);
  return answer.headers.getSetCookie()[0]?.split(";")[0] ?? "";
}

/** What a device of the person is pushed. */
async function device(cookie: string): Promise<NotificationPush[]> {
  const pushed: NotificationPush[] = [];
  const socket = io(service.url, { transports: ["websocket"], extraHeaders: { cookie } });
  sockets.push(socket);
  socket.on("notification:new", (push: NotificationPush) => pushed.push(push));
  await new Promise<void>((resolve, reject) => {
    socket.on("connect", resolve);
    socket.on("connect_error", reject);
  });
  return pushed;
}

const post = (count: number) =>
  ask(
    "POST",
    "/v1/events?ack=stored",
    Array.from({ length: count }, () => ({ id: crypto.randomUUID(), type: "chat.posted", organization: "acme" })),
  );

test("people above a node are notified of a crossed threshold on every device, once, through a restart too", async () => {
  const { id: plan } = await ask("POST", "/v1/plans", {
    name: "Small",
    currency: "EUR",
    node: "all",
    features: [{ key: "posts", meter: "chat_posts", included: "10", overage: "notify" }],
  });
  await ask("POST", `/v1/plans/${plan}/publish`);
  await ask("POST", "/v1/nodes", { kind: "organization", id: "acme" });
  await ask("POST", "/v1/nodes", { kind: "organization", id: "other" });
  await ask("POST", "/v1/subscriptions", { node: "organization:acme", plan });
  const { id: channel } = await ask("POST", "/v1/channels", {
    name: "Hook",
    node: "organization:acme",
    kind: "webhook",
    url: "https://hook.example.com/x",
  });
  const rule = await ask("POST", "/v1/rules", {
    name: "Posts",
    node: "organization:acme",
    channels: [channel],
    condition: { kind: "quota", feature: "posts", thresholds: [30] },
  });
  const cookie = await signIn(service.adminEmail, service.adminPassword);
  const [phone, laptop] = [await device(cookie), await device(cookie)];

  await post(6);
  const rules = (pushed: NotificationPush[]) => pushed.map(({ alert }) => alert.threshold).sort();
  await eventually("both devices to be notified of 50 % and of the rule", () =>
    rules(phone).length === 2 && rules(laptop).length === 2 ? true : undefined,
  );
  expect([rules(phone), rules(laptop)]).toEqual([
    [30, 50],
    [30, 50],
  ]);
  expect(phone[0]).toMatchObject({ type: "alert.firing", read_at: null, alert: { node: "organization:acme" } });

  const { alerts } = await ask("GET", `/v1/alerts?rule=${rule.id}`);
  const [alert] = alerts as [Alert];
  const { deliveries } = await ask("GET", `/v1/deliveries?alert=${alert.id}`);
  expect(deliveries).toMatchObject([{ channel, type: "alert.firing" }]);

  await service.stopServer("SIGKILL");
  await service.startServer();
  await post(2);
  const again = await device(await signIn(service.adminEmail, service.adminPassword));
  const unreadOnes = await eventually("75 % to be notified", async () => {
    const { notifications } = await ask("GET", "/v1/notifications", undefined, { cookie });
    return notifications.length === 3 ? notifications : undefined;
  });
  const thresholds = (unreadOnes as { alert: Alert }[]).map((one) => one.alert.threshold);
  expect(thresholds.sort()).toEqual([30, 50, 75]);
  expect(again.length).toBeLessThanOrEqual(1);

  const { unread } = await ask("POST", "/v1/notifications/read", { ids: [unreadOnes[0].id] }, { cookie });
  expect(unread).toBe(2);
  expect(await ask("POST", "/v1/notifications/read", { all: true }, { cookie })).toEqual({ unread: 0 });

  const acknowledged = await ask("POST", `/v1/alerts/${alert.id}/acknowledge`, undefined, { cookie });
  expect(acknowledged.acknowledged.by).toBe(service.adminEmail);
  const metrics = await fetch(`${service.url}/metrics`, { headers: { authorization: `Bearer ${service.rootKey}` } });
  const text = await metrics.text();
  expect(text).toMatch(/tidemark_rule_evaluations_total\{kind="quota"\} [1-9]/);
  expect(text).toMatch(/tidemark_alert_lag_seconds [0-9.]+/);
});
