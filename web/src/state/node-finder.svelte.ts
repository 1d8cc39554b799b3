/**
 * Nodes by what somebody types of their names or ids. A small tree is known as a whole and filtered here; of a large one the
 * server is asked.
 */
import type { Node, NodeList } from "@contract/nodes.ts";
import { api } from "../api/client.ts";
import type { ApiError } from "../api/request.ts";
import { Loaded } from "./loaded.svelte.ts";

/** So that a word typed is one question, not one a letter. */
const searchAfterMs = 120;

/** Make it while a component is made; it asks as long as that is there. */
export class NodeFinder {
  readonly #typed: () => string;
  readonly #known: () => NodeList | null;
  readonly #found = new Loaded<{ search: string; nodes: Node[] }>();
  readonly #needle = $derived.by(() => this.#typed().trim().toLowerCase());
  readonly isWhole = $derived.by(() => this.#known()?.next_cursor === null);
  readonly #isAsked = $derived.by(() => this.#needle !== "" && this.#known() !== null && !this.isWhole);
  /** The answer to what is typed is on its way. */
  readonly isAwaited = $derived(this.#isAsked && this.#found.value?.search !== this.#needle);
  /** Those that match, those whose name begins with it first; the first ones known where nothing is typed. */
  readonly nodes: readonly Node[] = $derived.by(() => {
    const known = this.#known()?.nodes ?? [];
    if (this.#needle === "") return known;
    const candidates = (this.#isAsked ? this.#found.value?.nodes : undefined) ?? known;
    const matching = candidates.filter(({ node, name }) => `${name} ${node}`.toLowerCase().includes(this.#needle));
    const begins = ({ name }: Node) => (name.toLowerCase().startsWith(this.#needle) ? 0 : 1);
    return matching.sort((a, b) => begins(a) - begins(b));
  });

  /** `known`: the first nodes; null until they are read. */
  constructor(typed: () => string, known: () => NodeList | null) {
    this.#typed = typed;
    this.#known = known;
    $effect(() => {
      if (!this.#isAsked) return;
      const search = this.#needle;
      const read = async (signal: AbortSignal) => ({
        search,
        nodes: (await api.listNodes({ query: { search }, signal })).nodes,
      });
      const timer = setTimeout(() => this.#found.load(read), searchAfterMs);
      return () => {
        clearTimeout(timer);
        this.#found.close();
      };
    });
  }

  /** Why what is typed could not be looked up; null otherwise. */
  get error(): ApiError | null {
    return this.isAwaited ? this.#found.error : null;
  }
}
