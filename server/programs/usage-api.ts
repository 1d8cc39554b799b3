/** What the emitter-side programs ask the service besides taking their events: nodes, figures, and how far it has got. */
import { setTimeout as delay } from "node:timers/promises";
import type { CreateNode, Node } from "../contract/nodes.ts";
import type { UsageAnswer, UsageQuery } from "../contract/usage.ts";
import { AnswerError, ApiCaller } from "./api-caller.ts";
import type { Connection } from "./connection.ts";

const visibilityPollMs = 50;

export class UsageApi {
  readonly #caller: ApiCaller;
  readonly #signal: AbortSignal | undefined;

  constructor({ url, key }: Connection, signal?: AbortSignal) {
    this.#caller = new ApiCaller(url, { authorization: `Bearer ${key}` }, signal);
    this.#signal = signal;
  }

  /** Makes a node, or answers the one that is there already. */
  createNode(node: CreateNode): Promise<Node> {
    return this.#caller.post<Node>("/v1/nodes", node);
  }

  usage(question: Partial<UsageQuery> & Pick<UsageQuery, "meter">): Promise<UsageAnswer> {
    const search = new URLSearchParams(Object.entries(question).map(([name, value]) => [name, String(value)]));
    return this.#caller.get<UsageAnswer>(`/v1/usage?${search}`);
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
}
