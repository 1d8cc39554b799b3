/** What figures may be grouped and filtered by, in words. */
import { nodeAddress } from "@contract/node-address.ts";
import { dimensionsTexts as t } from "../texts/en/dimensions.ts";
import { formatLanguage } from "./format.ts";

/** A dimension that users made is called as they call it. */
export const dimensionLabel = (dimension: string) => (t.labels as Record<string, string>)[dimension] ?? dimension;

/** Video and audio as they are sent and received, in the order in which they are shown. */
export const media = Object.keys(t.media) as (keyof typeof t.media)[];

/** A medium that no release knows is called by its key. */
export const mediumName = (medium: string): string => (t.media as Record<string, string>)[medium] ?? medium;

/** What the group of a dimension is called that has this key; `nameOfNode` gives a node's name by its address. */
export function groupTitle(dimension: string, key: string, nameOfNode: (address: string) => string): string {
  if (key === "") return t.notGiven;
  if (dimension === "partner" || dimension === "reseller" || dimension === "organization")
    return nameOfNode(nodeAddress(dimension, key));
  if (dimension === "language") return formatLanguage(key);
  if (dimension === "medium") return mediumName(key);
  return key;
}

/** What lies below a dimension: whoever looks into a reseller sees its organizations next. */
export const nextDimension: Record<string, string> = {
  partner: "reseller",
  reseller: "organization",
  organization: "room",
  room: "session",
  user: "session",
  agent: "session",
};
