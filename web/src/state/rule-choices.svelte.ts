/** What the form of a rule offers to choose from, beside meters and nodes. */
import type { Channel, ChannelList } from "@contract/channels.ts";
import type { PlanList } from "@contract/plans.ts";
import type { Rule, RuleList } from "@contract/rules.ts";
import { api } from "../api/client.ts";
import { everyPlan } from "../api/whole-lists.ts";
import { Loaded } from "./loaded.svelte.ts";

/** More are not looked through in a form. */
const offeredAtMost = 1_000;

export class RuleChoices {
  readonly #channels = new Loaded<ChannelList>();
  readonly #plans = new Loaded<Pick<PlanList, "plans">>();
  readonly #rules = new Loaded<RuleList>();

  open(): void {
    this.#channels.load((signal) => api.listChannels({ query: { limit: offeredAtMost }, signal }));
    this.#plans.load((signal) => everyPlan({ signal }));
    this.#rules.load((signal) => api.listRules({ query: { limit: offeredAtMost }, signal }));
  }

  close(): void {
    this.#channels.close();
    this.#plans.close();
    this.#rules.close();
  }

  get channels(): readonly Channel[] | undefined {
    return this.#channels.value?.channels;
  }

  get rules(): readonly Rule[] {
    return this.#rules.value?.rules ?? [];
  }

  /** Keys of what plans limit, each once. */
  get features(): readonly string[] {
    const versions = (this.#plans.value?.plans ?? []).flatMap((plan) => plan.versions);
    const limited = versions.flatMap(({ features }) => features.filter(({ included }) => included !== null));
    return [...new Set(limited.map(({ key }) => key))].sort();
  }
}
