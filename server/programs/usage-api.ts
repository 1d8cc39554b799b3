/** What the emitter-side programs ask the service besides taking their events: nodes, figures, and how far it has got. */
import { setTimeout as delay } from "node:timers/promises";
import type { ChangeChannel, Channel, ChannelList, CreateChannel, CreatedChannel } from "../contract/channels.ts";
import type { CreateNode, Node } from "../contract/nodes.ts";
import type { CreatePlan, Plan, PlanList } from "../contract/plans.ts";
import type { Period } from "../contract/quotas.ts";
import type { CreateReport, Report, ReportList } from "../contract/reports.ts";
import type { CreateRule, Rule, RuleList } from "../contract/rules.ts";
import type { CreateSchedule, Schedule, ScheduleList } from "../contract/schedules.ts";
import type { CreateSubscription, Subscription, SubscriptionList } from "../contract/subscriptions.ts";
import type { UsageAnswer, UsageQuery } from "../contract/usage.ts";
import { parseJson } from "../json/parse-json.ts";
import type { Connection } from "./connection.ts";

/** An answer that is no success; the status is 0 when there was no answer. */
export class AnswerError extends Error {
  override name = "AnswerError";
  readonly status: number;
  constructor(status: number, message: string, cause?: unknown) {
    super(message, { cause });
    this.status = status;
  }
}

const visibilityPollMs = 50;

export class UsageApi {
  readonly #connection: Connection;
  readonly #signal: AbortSignal | undefined;

  constructor(connection: Connection, signal?: AbortSignal) {
    this.#connection = connection;
    this.#signal = signal;
  }

  /** Makes a node, or answers the one that is there already. */
  createNode(node: CreateNode): Promise<Node> {
    return this.#request<Node>("POST", "/v1/nodes", node);
  }

  /** Up to a thousand of them. */
  plans(): Promise<PlanList> {
    return this.#request<PlanList>("GET", "/v1/plans");
  }

  /** Published at once. */
  async createPlan(plan: CreatePlan): Promise<Plan> {
    const { id } = await this.#request<Plan>("POST", "/v1/plans", plan);
    return this.#request<Plan>("POST", `/v1/plans/${id}/publish`);
  }

  /** Up to a thousand of them. */
  subscriptions(): Promise<SubscriptionList> {
    return this.#request<SubscriptionList>("GET", "/v1/subscriptions?limit=1000");
  }

  subscribe(subscription: CreateSubscription): Promise<Subscription> {
    return this.#request<Subscription>("POST", "/v1/subscriptions", subscription);
  }

  usage(question: Partial<UsageQuery> & Pick<UsageQuery, "meter">): Promise<UsageAnswer> {
    const search = new URLSearchParams(Object.entries(question).map(([name, value]) => [name, String(value)]));
    return this.#request<UsageAnswer>("GET", `/v1/usage?${search}`);
  }

  /**
   * Resolves when everything that the service accepted before this call can be queried; rejects when that takes longer
   * than `withinMs`. Both instants compared are the service's own, so that clocks that differ do no harm.
   */
  async whenVisible(withinMs: number): Promise<void> {
    const deadline = Date.now() + withinMs;
    let calledAtMs: number | undefined;
    for (;;) {
      const { to, watermark } = await this.usage({ meter: "chat_posts", to: "now", window: "total" });
      calledAtMs ??= Date.parse(to);
      if (Date.parse(watermark) >= calledAtMs) return;
      if (Date.now() > deadline) throw new AnswerError(0, `events of ${watermark} could not be queried in time`);
      await delay(visibilityPollMs, undefined, { signal: this.#signal });
    }
  }

  channels(): Promise<ChannelList> {
    return this.#request<ChannelList>("GET", "/v1/channels?limit=1000");
  }

  createChannel(channel: CreateChannel): Promise<CreatedChannel> {
    return this.#request<CreatedChannel>("POST", "/v1/channels", channel);
  }

  changeChannel(id: string, change: ChangeChannel): Promise<Channel> {
    return this.#request<Channel>("PATCH", `/v1/channels/${id}`, change);
  }

  rules(): Promise<RuleList> {
    return this.#request<RuleList>("GET", "/v1/rules?limit=1000");
  }

  createRule(rule: CreateRule): Promise<Rule> {
    return this.#request<Rule>("POST", "/v1/rules", rule);
  }

  /** Up to a thousand of them. */
  reports(): Promise<ReportList> {
    return this.#request<ReportList>("GET", "/v1/reports?limit=1000");
  }

  createReport(report: CreateReport): Promise<Report> {
    return this.#request<Report>("POST", "/v1/reports", report);
  }

  /** Up to a thousand of them. */
  schedules(): Promise<ScheduleList> {
    return this.#request<ScheduleList>("GET", "/v1/schedules?limit=1000");
  }

  createSchedule(schedule: CreateSchedule): Promise<Schedule> {
    return this.#request<Schedule>("POST", "/v1/schedules", schedule);
  }

  period(node: string): Promise<Period> {
    return this.#request<Period>("GET", `/v1/period?node=${encodeURIComponent(node)}`);
  }

  async #request<T>(method: "GET" | "POST" | "PATCH", path: string, body?: unknown): Promise<T> {
    const { url, key } = this.#connection;
    const headers: Record<string, string> = { authorization: `Bearer ${key}`, accept: "application/json" };
    if (body !== undefined) headers["content-type"] = "application/json";
    let response: Response;
    try {
      response = await fetch(`${url}${path}`, {
        method,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
        signal: this.#signal ?? null,
      });
    } catch (error) {
      if (this.#signal?.aborted) throw error;
      // What fetch throws says no more than that it failed; why is its cause.
      const reason = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
      throw new AnswerError(0, `there is no answer from ${url}${reason}`, error);
    }
    const text = await response.text();
    if (!response.ok)
      throw new AnswerError(response.status, `${method} ${path} was answered ${response.status}: ${text}`);
    return parseJson(text) as T;
  }
}
