/**
 * What nodes are called, wherever an answer has only their addresses. Each is asked for once, when it is first shown, a
 * few at a time; until the answer, and where the caller may not see the node, its id stands for it.
 */
import { parseNode } from "@contract/node-address.ts";
import type { Node } from "@contract/nodes.ts";
import { SvelteMap } from "svelte/reactivity";
import { api } from "../api/client.ts";
import { uiTexts as t } from "../texts/en/ui.ts";
import { knownNodes } from "./directory.svelte.ts";

const askedAtOnce = 4;
/** null where it is not known. */
const nodes = new SvelteMap<string, Node | null>();
const asked = new Set<string>();
const waiting: string[] = [];
let running = 0;

/** The node at `address` as far as it is known; reactive. `all` is none. */
export function nodeAt(address: string): Node | undefined {
  if (address === "all") return undefined;
  const listed = knownNodes.value?.nodes.find(({ node }) => node === address);
  if (listed) return listed;
  if (!asked.has(address)) {
    asked.add(address);
    waiting.push(address);
    queueMicrotask(askNext);
  }
  return nodes.get(address) ?? undefined;
}

/** Its name, else its id; reactive. */
export function nodeName(address: string): string {
  if (address === "all") return t.allOrganizations;
  const node = nodeAt(address);
  if (node) return node.name;
  const parsed = parseNode(address);
  return parsed.kind === "agent" ? `${parsed.organization}/${parsed.agent}` : parsed.id;
}

/** The same within a sentence. */
export const nodeNameInSentence = (address: string): string =>
  address === "all" ? t.allOrganizationsInSentence : nodeName(address);

/** Forgets what nodes were called: somebody changed one. */
export function forgetNodeNames(): void {
  asked.clear();
  nodes.clear();
}

function askNext(): void {
  while (running < askedAtOnce) {
    const address = waiting.shift();
    if (address === undefined) return;
    running++;
    api
      .getNode({ path: { node: address } })
      .catch(() => null)
      .then((node) => {
        nodes.set(address, node);
        running--;
        askNext();
      });
  }
}
