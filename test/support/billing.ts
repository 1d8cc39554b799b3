/** Plans, subscriptions, usage and moves of the past, for tests of statements. */
import { createHmac, randomUUID } from "node:crypto";
import { expect } from "vitest";
import { adjustStatements } from "../../server/billing/statements/adjust-statements.ts";
import { closeStatements, type StatementSource } from "../../server/billing/statements/close-statements.ts";
import { nodeParents } from "../../server/postgres/schema/accounts.ts";
import { subscriptionPlans } from "../../server/postgres/schema/plans.ts";
import { createWorld, paymentKey, type World } from "./isolation-world.ts";

export interface Billing {
  world: World;
  source: StatementSource;
  /** A key of the root with every right. */
  key: string;
  /** A published plan's id. */
  plan(node: string, terms: object): Promise<string>;
  /** The subscription's id. */
  subscribe(node: string, plan: string, when: object): Promise<string>;
  /** Another plan from an instant of the past on. */
  changePlan(subscription: string, plan: string, from: string): Promise<void>;
  /** A move of the past. */
  move(node: string, parent: string, from: string): Promise<void>;
  /** Calls of some minutes: organization, time, minutes. */
  calls(...calls: [organization: string, time: string, minutes: string][]): Promise<void>;
  send(events: object[]): Promise<void>;
  /** What the job does, as if it were `time`; how many were closed. */
  run(time: string): Promise<number>;
  // biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the tests are about
  get(path: string, key?: string): Promise<any>;
}

export async function createBilling(): Promise<Billing> {
  const world = await createWorld();
  const { key } = await world.makeKey(["ingest", "read", "admin"], "all");
  const { deps } = world;
  const source: StatementSource = { ...deps, meterOf: (...asked) => deps.customMeters.find(...asked) };
  let sent = 0;
  async function send(events: object[]): Promise<void> {
    const body = events.map((event) => {
      sent++;
      return { id: `billed-${sent}`, ...event };
    });
    const answer = await world.ask("POST", "/v1/events?ack=stored", { key, body });
    expect([answer.status, answer.body.rejected]).toEqual([200, []]);
  }
  async function made(path: string, body: object): Promise<string> {
    const answer = await world.ask("POST", path, { key, body });
    expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 201 });
    return answer.body.id;
  }
  return {
    world,
    source,
    key,
    send,
    async plan(node, terms) {
      const id = await made("/v1/plans", { name: "Plan", node, offered: true, ...terms });
      expect((await world.ask("POST", `/v1/plans/${id}/publish`, { key })).status).toBe(200);
      return id;
    },
    subscribe: (node, plan, when) => made("/v1/subscriptions", { node, plan, ...when }),
    async changePlan(subscriptionId, planId, from) {
      const since = { subscriptionId, planId, version: 1, validFrom: new Date(from) };
      await deps.postgres.db.insert(subscriptionPlans).values(since);
    },
    async move(node, parent, from) {
      await deps.tree.change(async (tx) => {
        await tx.insert(nodeParents).values({ node, parent, validFrom: new Date(from) });
        return { changed: [node], result: undefined };
      });
    },
    calls: (...calls) =>
      send(calls.map(([organization, time, value]) => ({ type: "call.completed", organization, time, value }))),
    async run(time) {
      await adjustStatements(source, Date.parse(time));
      return await closeStatements(source, Date.parse(time));
    },
    async get(path, asker = key) {
      const answer = await world.ask("GET", path, { key: asker });
      expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 200 });
      return answer.body;
    },
  };
}

/** A plan by which a level pays so much for each minute of calls beyond what is included. */
export const perMinute = (currency: string, prices: Record<string, string>, rest: object = {}) => ({
  currency,
  features: [
    {
      key: "calls",
      meter: "call_minutes",
      overage: "bill",
      prices: Object.fromEntries(
        Object.entries(prices).map(([level, unit_price]) => [
          level,
          { model: "graduated", tiers: [{ up_to: null, unit_price }] },
        ]),
      ),
    },
  ],
  ...rest,
});

/** As a payment provider sends it, now unless another time is given. */
export function signedMessage(
  message: object,
  {
    id = `msg_${randomUUID()}`,
    key = paymentKey,
    atMs = Date.now(),
  }: { id?: string; key?: Buffer; atMs?: number } = {},
): { body: string; headers: Record<string, string> } {
  const body = JSON.stringify(message);
  const timestamp = String(Math.floor(atMs / 1000));
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  const headers = { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
  return { body, headers };
}
