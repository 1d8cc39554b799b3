/** What fires at a node and below it and waits for somebody, read again when alerts change. */
import type { AlertList } from "@contract/alerts.ts";
import { api } from "../api/client.ts";
import { byAttention, needsAttention } from "../words/alerts.ts";
import { bell } from "./bell.svelte.ts";
import { keepFresh } from "./keep-fresh.svelte.ts";
import { Loaded } from "./loaded.svelte.ts";

/** For a push that was lost on its way. */
const refreshMs = 60_000;
const readAtMost = 50;

/** Make it while a component is made; it reads as long as that is there. `node`: the caller's own when undefined. */
export class FiringAlerts {
  readonly #list = new Loaded<AlertList>();

  constructor(node: () => string | undefined) {
    const list = this.#list;
    $effect(() => {
      const asked = node();
      void bell.pushes;
      list.load((signal) => api.listAlerts({ query: { node: asked, state: "firing", limit: readAtMost }, signal }));
    });
    keepFresh(list, refreshMs);
  }

  get isKnown(): boolean {
    return this.#list.value !== null;
  }

  /** More fire than were read. */
  get hasMore(): boolean {
    return (this.#list.value?.next_cursor ?? null) !== null;
  }

  /** The most pressing first. */
  get waiting() {
    return byAttention(this.#list.value?.alerts ?? [], Date.now()).filter((alert) => needsAttention(alert, Date.now()));
  }
}
