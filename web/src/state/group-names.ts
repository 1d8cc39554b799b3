/** What a group of figures is called, by what was grouped by. */
import { nodeAddress } from "@contract/node-address.ts";
import { media } from "../words/dimensions.ts";
import { formatLanguage } from "../words/format.ts";
import { nodeName } from "./node-names.svelte.ts";

/** Reactive where it is a node's name. */
export function groupName(dimension: string, key: string): string {
  if (key === "") return "Not given";
  if (dimension === "partner" || dimension === "reseller" || dimension === "organization")
    return nodeName(nodeAddress(dimension, key));
  if (dimension === "language") return formatLanguage(key);
  if (dimension === "medium") return media.find((one) => one.key === key)?.label ?? key;
  return key;
}
